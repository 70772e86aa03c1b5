"""The payment provider and the carrier: what they do, and the books that they keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Books = tuple[tuple[str, ...], ...]
FORGOT: tuple[str, ...] = ("forgot",)


def forget(books: Books) -> Books:
    """Let the provider forget its idempotency keys, as providers do after a day or so."""
    return tuple(sorted({*books, FORGOT}))


def charge(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, Any]:
    """Charge as a provider does that returns the same for the same key until it forgets.

    Return the books after it, and the payment's id, or None for a decline. It declines
    CUST-DECLINE until it has forgotten: by then there is money on the card.
    """
    key, customer, amount = str(arguments["key"]), arguments["customer"], str(arguments["amount"])
    forgot = FORGOT in books or arguments["key"] is None
    decided = {entry[1]: entry for entry in books if entry[0] in ("charged", "declined")}
    payment_id = str(uuid5(NAMESPACE_URL, f"payment {key}"))
    if key in decided and not forgot:
        return books, None if decided[key][0] == "declined" else payment_id
    if customer.startswith("CUST-DECLINE") and FORGOT not in books:
        return tuple(sorted({*books, ("declined", key, customer)})), None
    # Charged a second time is a second entry, whatever the key.
    times = str(sum(entry[0] == "charged" and entry[2] == customer for entry in books))
    return tuple(sorted({*books, ("charged", key, customer, amount, times)})), payment_id


def book(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, str]:
    """Book as a carrier does that returns the same for the same key."""
    key, customer = arguments["key"], arguments["customer"]
    bookings = sum(entry[0] == "shipped" and entry[2] == customer for entry in books)
    booked = ("shipped", str(key), customer, "0" if key else str(bookings))
    tracking = f"TRK-{uuid5(NAMESPACE_URL, f'shipment {key}').hex[:8].upper()}"
    return tuple(sorted({*books, booked})), tracking

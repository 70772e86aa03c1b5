"""The payment provider and the carrier: what they do, and the books that they keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Books = tuple[tuple[str, ...], ...]


def pass_a_day(books: Books) -> Books:
    """Let a day pass, after which both have forgotten their idempotency keys, as partners do."""
    kept = [entry for entry in books if entry[0] not in ("key", "day")]
    return tuple(sorted([*kept, ("day", str(_days(books) + 1))]))


def charge(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, Any]:
    """Charge as a provider does that returns the same for the same key until it forgets.

    Return the books after it, and the payment's id, or None for a decline. It declines
    CUST-DECLINE on the first day: later there is money on the card.
    """
    key, customer, amount = str(arguments["key"]), arguments["customer"], str(arguments["amount"])
    known = ("key", "charge", key)
    if known in books:
        return books, find_charge(books, arguments)[1]
    if arguments["key"] is not None:
        books = _with(books, known)
    if customer.startswith("CUST-DECLINE") and not _days(books):
        return _with(books, ("declined", key, customer)), None
    # Charged a second time is a second entry, whatever the key.
    times = str(sum(entry[0] == "charged" and entry[2] == customer for entry in books))
    return _with(books, ("charged", key, customer, amount, times)), _payment_id(key)


def find_charge(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, Any]:
    """Return the id of the payment that was taken under a key, or None; the books stay."""
    key = str(arguments["key"])
    taken = any(entry[:2] == ("charged", key) for entry in books)
    return books, _payment_id(key) if taken else None


def book(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, str]:
    """Book as a carrier does that returns the same for the same key until it forgets."""
    key, customer = str(arguments["key"]), arguments["customer"]
    known = ("key", "book", key)
    if known in books:
        return books, _tracking(key)
    if arguments["key"] is not None:
        books = _with(books, known)
    times = str(sum(entry[0] == "shipped" and entry[2] == customer for entry in books))
    return _with(books, ("shipped", key, customer, times)), _tracking(key)


def find_booking(books: Books, arguments: Mapping[str, Any]) -> tuple[Books, Any]:
    """Return the tracking number of what was booked under a key, or None; the books stay."""
    key = str(arguments["key"])
    booked = any(entry[:2] == ("shipped", key) for entry in books)
    return books, _tracking(key) if booked else None


def _days(books: Books) -> int:
    return max((int(entry[1]) for entry in books if entry[0] == "day"), default=0)


def _with(books: Books, entry: tuple[str, ...]) -> Books:
    return tuple(sorted({*books, entry}))


def _payment_id(key: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"payment {key}"))


def _tracking(key: str) -> str:
    return f"TRK-{uuid5(NAMESPACE_URL, f'shipment {key}').hex[:8].upper()}"

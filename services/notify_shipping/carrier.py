"""The simulated shipping company. A real one is another file with the same methods."""

from datetime import timedelta
from uuid import UUID, uuid5

from plumbing.partner import Partner


class SimulatedCarrier:
    """Books every shipment, with a tracking number made of the key alone."""

    remembers_keys_for = timedelta(hours=23)  # as the payment provider

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        """Book as a carrier does that remembers every idempotency key."""
        return tracking_number(idempotency_key)

    def find(self, *, idempotency_key: UUID) -> str | None:
        """Return None: to book again under a key that is remembered sends nothing."""
        return None


def tracking_number(idempotency_key: UUID) -> str:
    """Return the one number of a key."""
    return f"TRK-{uuid5(idempotency_key, 'shipment').hex[:8].upper()}"


PARTNER = Partner(
    act="book",
    answers=lambda idempotency_key, **_: (tracking_number(idempotency_key),),
    find="find",
)

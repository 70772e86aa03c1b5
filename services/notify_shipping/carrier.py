"""The simulated shipping company. A real one is another file with the same methods."""

from datetime import timedelta
from uuid import UUID, uuid5


class SimulatedCarrier:
    """Books every shipment, with a tracking number made of the key alone."""

    remembers_keys_for = timedelta(hours=23)  # as the payment provider

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        """Book as a carrier does that remembers every idempotency key."""
        return f"TRK-{uuid5(idempotency_key, 'shipment').hex[:8].upper()}"

    def find(self, *, idempotency_key: UUID) -> str | None:
        """Return None: to book again under a key that is remembered sends nothing."""
        return None

"""The simulated shipping company. A real one is another file with the same method."""

from uuid import UUID, uuid5


class SimulatedCarrier:
    """Books every shipment, with a tracking number made of the key alone."""

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        """Book as a carrier does that remembers every idempotency key."""
        return f"TRK-{uuid5(idempotency_key, 'shipment').hex[:8].upper()}"

"""The simulated payment provider. A real one is another file with the same method."""

from uuid import UUID, uuid5

from charge_payment.charge_payment import Charged, Declined

DECLINED_CUSTOMER = "CUST-DECLINE"


class SimulatedGateway:
    """Declines one customer and charges all others, by the key alone, so it never changes."""

    def charge(
        self, *, idempotency_key: UUID, customer_id: str, amount_cents: int
    ) -> Charged | Declined:
        """Decide as a provider does that remembers every idempotency key."""
        if customer_id == DECLINED_CUSTOMER:
            return Declined("card declined")
        return Charged(uuid5(idempotency_key, "payment"))

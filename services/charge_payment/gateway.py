"""The simulated payment provider. A real one is another file with the same methods."""

from datetime import timedelta
from uuid import UUID, uuid5

from charge_payment.charge_payment import Charged, Declined
from plumbing.partner import Partner

DECLINED_CUSTOMER = "CUST-DECLINE"


class SimulatedGateway:
    """Declines one customer and charges all others, by the key alone, so it never changes."""

    # Stripe removes keys when they are "at least 24 hours old", its API reference states. The hour
    # less is for clocks that differ, and for a charge that takes its time.
    remembers_keys_for = timedelta(hours=23)

    def charge(
        self, *, idempotency_key: UUID, customer_id: str, amount_cents: int
    ) -> Charged | Declined:
        """Decide as a provider does that remembers every idempotency key."""
        if customer_id == DECLINED_CUSTOMER:
            return Declined("card declined")
        return Charged(uuid5(idempotency_key, "payment"))

    def find(self, *, idempotency_key: UUID) -> Charged | None:
        """Return None: to charge again under a key that is remembered moves no money."""
        return None


PARTNER = Partner(
    act="charge",
    answers=lambda idempotency_key, **_: (
        Charged(uuid5(idempotency_key, "payment")),
        Declined("card declined"),
    ),
    effect=lambda answer: isinstance(answer, Charged),
    find="find",
)

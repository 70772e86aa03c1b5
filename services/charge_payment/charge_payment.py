"""The decision: charge a card once per order, and keep to the answer."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict

from charge_payment.events import InventoryReserved, PaymentCharged, PaymentFailed
from plumbing.publish import Publish
from plumbing.step import Standing


class Charged(Struct, frozen=True):
    """The gateway took the money, under this id."""

    payment_id: UUID


class Declined(Struct, frozen=True):
    """The gateway took nothing, for this reason."""

    reason: str


class Gateway(Protocol):
    """The payment provider."""

    def charge(
        self, *, idempotency_key: UUID, customer_id: str, amount_cents: int
    ) -> Charged | Declined:
        """Charge once per key: the same key again gets the same answer and moves no money."""


class Orders(Protocol):
    """The orders as this service reads and writes them."""

    def find(self, heard: InventoryReserved) -> Standing:
        """Answer where the order stands."""

    def record(self, said: PaymentCharged | PaymentFailed) -> Standing:
        """Record how the charge went; answer where the order stands."""


def charge_payment(
    heard: InventoryReserved, orders: Orders, gateway: Gateway, publish: Publish
) -> Standing:
    """Charge once per order, and say how it went, also when told twice."""
    standing = orders.find(heard)
    # The gateway forgets its keys some day and cannot know our orders, so it is asked only while
    # the order stands where money may move.
    if standing.status == InventoryReserved.status:
        answer = gateway.charge(
            idempotency_key=heard.order_id,
            customer_id=heard.customer_id,
            amount_cents=heard.amount_cents,
        )
        match answer:
            case Charged(payment_id):
                said = PaymentCharged(**asdict(heard), payment_id=payment_id)
                standing = orders.record(said)
            case Declined(reason):
                standing = orders.record(PaymentFailed(**asdict(heard), reason=reason))
    if standing.status in (PaymentCharged.status, PaymentFailed.status):
        publish(standing.event)
    return standing

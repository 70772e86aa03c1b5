"""The decision: charge a card once per order, and keep to its result."""

from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict

from charge_payment.events import InventoryReserved, PaymentCharged, PaymentFailed
from plumbing.publish import Publish
from plumbing.step import SagaState


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
        """Charge once per key: the same key again returns the same result and moves no money."""


class Orders(Protocol):
    """The orders as this service reads and writes them."""

    def find(self, event: InventoryReserved) -> SagaState:
        """Return the state of the order."""

    def record(self, outgoing: PaymentCharged | PaymentFailed) -> SagaState:
        """Record the result of the charge; return the state of the order."""


def charge_payment(
    event: InventoryReserved, orders: Orders, gateway: Gateway, publish: Publish
) -> SagaState:
    """Charge once per order and publish the result, also when delivered twice."""
    state = orders.find(event)
    # The gateway forgets its keys some day and does not know our orders, so it is asked only
    # while the order has the status in which money may move.
    if state.status == InventoryReserved.status:
        result = gateway.charge(
            idempotency_key=event.order_id,
            customer_id=event.customer_id,
            amount_cents=event.amount_cents,
        )
        match result:
            case Charged(payment_id):
                state = orders.record(PaymentCharged(**asdict(event), payment_id=payment_id))
            case Declined(reason):
                state = orders.record(PaymentFailed(**asdict(event), reason=reason))
    if state.status in (PaymentCharged.status, PaymentFailed.status):
        publish(state.outbox)
    return state

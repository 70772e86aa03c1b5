"""The decision: charge a card once per order, and keep to its result."""

from datetime import datetime, timedelta
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
    """The payment provider.

    remembers_keys_for: how long after its first use a key still returns the same result, at least.

    Whatever the provider does, its methods respond or raise while `plumbing.budget.time_left()` has
    room for the write and the publish that follow: within some three seconds, retries included.
    One that gives up has charged nothing or will be found under the key by the next try.
    """

    remembers_keys_for: timedelta

    def charge(
        self, *, idempotency_key: UUID, customer_id: str, amount_cents: int
    ) -> Charged | Declined:
        """Charge once per key: the same key again returns the same result and moves no money."""

    def find(self, *, idempotency_key: UUID) -> Charged | None:
        """Return what was charged under this key, however long ago, or None if nothing was.

        Raises when the provider cannot tell: then the event waits for a person.
        """


class Orders(Protocol):
    """The orders as this service reads and writes them."""

    def find(self, event: InventoryReserved) -> SagaState:
        """Return the state of the order."""

    def record(self, outgoing: PaymentCharged | PaymentFailed) -> SagaState:
        """Record the result of the charge; return the state of the order."""


def charge_payment(
    event: InventoryReserved, orders: Orders, gateway: Gateway, publish: Publish, now: datetime
) -> SagaState:
    """Charge once per order and publish the result, also when delivered twice or days later."""
    state = orders.find(event)
    # The gateway does not know our orders, so it is asked only while the order has the status in
    # which money may move.
    if state.status == InventoryReserved.status:
        # Every charge of this order came after that status. Once the gateway may have forgotten
        # the key of the first, an earlier try may have charged what the key no longer protects.
        is_late = now - state.since > gateway.remembers_keys_for
        charged = gateway.find(idempotency_key=event.order_id) if is_late else None
        result = charged or gateway.charge(
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

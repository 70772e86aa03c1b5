"""The decision: book one shipment per paid order."""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from msgspec.structs import asdict

from notify_shipping.events import PaymentCharged, ShippingScheduled
from plumbing.publish import Publish
from plumbing.step import SagaState


class Carrier(Protocol):
    """The shipping company.

    remembers_keys_for: how long after its first use a key still returns the same number, at least.

    Whatever the carrier does, its methods respond or raise while `plumbing.budget.time_left()` has
    room for the write and the publish that follow: within some three seconds, retries included.
    One that gives up has booked nothing or will be found under the key by the next try.
    """

    remembers_keys_for: timedelta

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        """Book once per key and return the tracking number: the same key, the same number."""

    def find(self, *, idempotency_key: UUID) -> str | None:
        """Return the number of what was booked under this key, however long ago, or None.

        Raises when the carrier cannot tell: then the event waits for a person.
        """


class Orders(Protocol):
    """The orders as this service reads and writes them."""

    def find(self, event: PaymentCharged) -> SagaState:
        """Return the state of the order."""

    def record(self, outgoing: ShippingScheduled) -> SagaState:
        """Record the booking; return the state of the order."""


def notify_shipping(
    event: PaymentCharged, orders: Orders, carrier: Carrier, publish: Publish, now: datetime
) -> SagaState:
    """Book the shipment once per order and publish it, also when delivered twice or days later."""
    state = orders.find(event)
    # As with the charge: goods are sent only while the order has the status in which they may be,
    # and once the carrier may have forgotten the key, it is asked before it is told to send any.
    if state.status == PaymentCharged.status:
        is_late = now - state.since > carrier.remembers_keys_for
        booked = carrier.find(idempotency_key=event.order_id) if is_late else None
        tracking_number = booked or carrier.book(
            idempotency_key=event.order_id,
            customer_id=event.customer_id,
            sku=event.sku,
            quantity=event.quantity,
        )
        state = orders.record(ShippingScheduled(**asdict(event), tracking_number=tracking_number))
    if state.status == ShippingScheduled.status:
        publish(state.outbox)
    return state

"""The decision: book one shipment per paid order."""

from typing import Protocol
from uuid import UUID

from msgspec.structs import asdict

from notify_shipping.events import PaymentCharged, ShippingScheduled
from plumbing.publish import Publish
from plumbing.step import Standing


class Carrier(Protocol):
    """The shipping company."""

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        """Book once per key and answer the tracking number: the same key, the same number."""


class Orders(Protocol):
    """The orders as this service reads and writes them."""

    def find(self, heard: PaymentCharged) -> Standing:
        """Answer where the order stands."""

    def record(self, said: ShippingScheduled) -> Standing:
        """Record the booking; answer where the order stands."""


def notify_shipping(
    heard: PaymentCharged, orders: Orders, carrier: Carrier, publish: Publish
) -> Standing:
    """Book the shipment once per order, and say so, also when told twice."""
    standing = orders.find(heard)
    # As with the charge: goods leave the house only while the order stands where they may.
    if standing.status == PaymentCharged.status:
        tracking_number = carrier.book(
            idempotency_key=heard.order_id,
            customer_id=heard.customer_id,
            sku=heard.sku,
            quantity=heard.quantity,
        )
        said = ShippingScheduled(**asdict(heard), tracking_number=tracking_number)
        standing = orders.record(said)
    if standing.status == ShippingScheduled.status:
        publish(standing.event)
    return standing

"""The decision: one order per request, also when the request comes twice."""

from typing import Protocol

from create_order.events import OrderCreated
from plumbing.publish import Publish
from plumbing.step import Standing


class OrderDiffers(Exception):
    """Another order is stored under this id: its idempotency key was used for another body."""


class Orders(Protocol):
    """The orders as this service writes them."""

    def create(self, said: OrderCreated) -> Standing:
        """Store the order unless its id is taken; answer where it stands.

        Raises OrderDiffers when what is stored under the id is not this order.
        """


def create_order(said: OrderCreated, orders: Orders, publish: Publish) -> Standing:
    """Store the order once, and say so, also when asked twice."""
    standing = orders.create(said)
    if standing.status == OrderCreated.status:
        publish(standing.event)
    return standing

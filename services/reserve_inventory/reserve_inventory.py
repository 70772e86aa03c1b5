"""The decision: hold the units of an order, or say that they are not to be had."""

from typing import Protocol
from uuid import uuid5

from msgspec.structs import asdict

from plumbing.publish import Publish
from plumbing.step import Standing
from reserve_inventory.events import InventoryFailed, InventoryReserved, OrderCreated


class Orders(Protocol):
    """The orders and their stock as this service writes them."""

    def hold(self, said: InventoryReserved) -> Standing | None:
        """Take the units and record the step, both or neither.

        Answers where the order stands, or None when there are too few units.
        """

    def fail(self, said: InventoryFailed) -> Standing:
        """Record that there are too few units; answer where the order stands."""


def reserve_inventory(heard: OrderCreated, orders: Orders, publish: Publish) -> Standing:
    """Hold the stock, all or nothing, and say how it went, also when told twice."""
    order = asdict(heard)
    reservation_id = uuid5(heard.order_id, "reservation")
    standing = orders.hold(InventoryReserved(**order, reservation_id=reservation_id))
    if standing is None:
        standing = orders.fail(InventoryFailed(**order, reason="out of stock"))
    if standing.status in (InventoryReserved.status, InventoryFailed.status):
        publish(standing.event)
    return standing

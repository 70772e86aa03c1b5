"""The decision: hold the units of an order, or publish that there are too few."""

from typing import Protocol
from uuid import uuid5

from msgspec.structs import asdict

from plumbing.publish import Publish
from plumbing.step import SagaState
from reserve_inventory.events import InventoryFailed, InventoryReserved, OrderCreated


class Orders(Protocol):
    """The orders and their stock as this service writes them."""

    def hold(self, outgoing: InventoryReserved) -> SagaState | None:
        """Take the units and record the step, both or neither.

        Return the state of the order, or None when there are too few units.
        """

    def fail(self, outgoing: InventoryFailed) -> SagaState:
        """Record that there are too few units; return the state of the order."""


def reserve_inventory(event: OrderCreated, orders: Orders, publish: Publish) -> SagaState:
    """Hold the stock, all or nothing, and publish the result, also when delivered twice."""
    order = asdict(event)
    reservation_id = uuid5(event.order_id, "reservation")
    state = orders.hold(InventoryReserved(**order, reservation_id=reservation_id))
    if state is None:
        state = orders.fail(InventoryFailed(**order, reason="out of stock"))
    if state.status in (InventoryReserved.status, InventoryFailed.status):
        publish(state.outbox)
    return state

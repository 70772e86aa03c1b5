"""The decision: the units that were held for an unpaid order are released."""

from typing import Protocol

from msgspec import Struct

from release_inventory.events import PaymentFailed


class Released(Struct, frozen=True):
    """The status of the order, and whether this very call released its units."""

    status: str
    applied: bool


class Orders(Protocol):
    """The orders and their stock as this service writes them."""

    def release(self, event: PaymentFailed) -> Released:
        """Release the units and record it, both or neither; return the status of the order."""


def release_inventory(event: PaymentFailed, orders: Orders) -> Released:
    """Release the held stock once, also when delivered twice."""
    return orders.release(event)

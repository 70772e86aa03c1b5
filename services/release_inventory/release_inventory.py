"""The decision: what was held for an unpaid order goes back on the shelf."""

from typing import Protocol

from release_inventory.events import PaymentFailed


class Orders(Protocol):
    """The orders and their stock as this service writes them."""

    def release(self, heard: PaymentFailed) -> str:
        """Give the units back and record it, both or neither; answer its status."""


def release_inventory(heard: PaymentFailed, orders: Orders) -> str:
    """Give the held stock back once, also when told twice; answer the order's status."""
    return orders.release(heard)

"""The decision: what was held for an unpaid order goes back on the shelf."""

from typing import Protocol

from msgspec import Struct

from release_inventory.events import PaymentFailed


class Released(Struct, frozen=True):
    """Where the order stands, and whether this very call gave its units back."""

    status: str
    recorded: bool


class Orders(Protocol):
    """The orders and their stock as this service writes them."""

    def release(self, heard: PaymentFailed) -> Released:
        """Give the units back and record it, both or neither; answer where the order stands."""


def release_inventory(heard: PaymentFailed, orders: Orders) -> Released:
    """Give the held stock back once, also when told twice."""
    return orders.release(heard)

"""What each service may do: the rows that its template, the simulator and the emulator are held to.

Written by hand on purpose, and derived from nothing: a permission is checked by writing it down a
second time. A new service is one more row.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from contracts import CONTRACTS

SOURCES = {contract.detail_type: f"orders.{contract.producer}" for contract in CONTRACTS}


@dataclass(frozen=True)
class Grants:
    """DynamoDB's actions by table, or by index (`orders/index/name`), and the events published.

    One that `republishes` may publish the events of every service of the saga.
    """

    tables: Mapping[str, Set[str]]
    publishes: Set[str] = field(default_factory=frozenset)
    republishes: bool = False

    def may_publish(self, source: str, detail_type: str) -> bool:
        """Return whether it may publish an event of this source and detail-type."""
        if self.republishes:
            return source.startswith("orders.")
        return detail_type in self.publishes and SOURCES[detail_type] == source


GRANTS = {
    "create_order": Grants({"orders": {"PutItem", "GetItem"}}, publishes={"OrderCreated"}),
    "reserve_inventory": Grants(
        {"orders": {"UpdateItem"}, "inventory": {"UpdateItem"}},
        publishes={"InventoryReserved", "InventoryFailed"},
    ),
    "charge_payment": Grants(
        {"orders": {"GetItem", "UpdateItem"}}, publishes={"PaymentCharged", "PaymentFailed"}
    ),
    "notify_shipping": Grants(
        {"orders": {"GetItem", "UpdateItem"}}, publishes={"ShippingScheduled"}
    ),
    "release_inventory": Grants({"orders": {"UpdateItem"}, "inventory": {"UpdateItem"}}),
    "resume_orders": Grants(
        {
            "orders": {"GetItem", "UpdateItem"},
            "orders/index/open": {"Query"},
            "orders/index/deferred": {"Query"},
        },
        republishes=True,
    ),
}

# Every table and index that some service may use, to try the others on.
TABLES = sorted({table for grants in GRANTS.values() for table in grants.tables})

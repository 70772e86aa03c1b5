"""What each service may do: the rows that its template, the simulator and the emulator are held to.

A new service is one more row.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from contracts import CONTRACTS

SOURCES = {contract.detail_type: f"orders.{contract.said_by}" for contract in CONTRACTS}


@dataclass(frozen=True)
class Grants:
    """DynamoDB's actions by table, or by index (`orders/index/name`), and the events it says.

    One that `repeats` says again whatever any service of the saga said.
    """

    tables: Mapping[str, Set[str]]
    says: Set[str] = field(default_factory=frozenset)
    repeats: bool = False

    def may_say(self, source: str, detail_type: str) -> bool:
        """Tell whether an event of this source and detail-type is its own to say."""
        if self.repeats:
            return source.startswith("orders.")
        return detail_type in self.says and SOURCES[detail_type] == source


GRANTS = {
    "create_order": Grants({"orders": {"PutItem", "GetItem"}}, says={"OrderCreated"}),
    "reserve_inventory": Grants(
        {"orders": {"UpdateItem"}, "inventory": {"UpdateItem"}},
        says={"InventoryReserved", "InventoryFailed"},
    ),
    "charge_payment": Grants(
        {"orders": {"GetItem", "UpdateItem"}}, says={"PaymentCharged", "PaymentFailed"}
    ),
    "notify_shipping": Grants({"orders": {"GetItem", "UpdateItem"}}, says={"ShippingScheduled"}),
    "release_inventory": Grants({"orders": {"UpdateItem"}, "inventory": {"UpdateItem"}}),
    "resume_orders": Grants(
        {"orders": {"GetItem", "UpdateItem"}, "orders/index/open": {"Query"}}, repeats=True
    ),
}

# Every table and index that some service may use, to try the others on.
TABLES = sorted({table for grants in GRANTS.values() for table in grants.tables})

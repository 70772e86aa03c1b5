"""What each service may do: the rows that its template, the simulator and the emulator are held to.

A new service is one more row.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from contracts import CONTRACTS

SOURCES = {contract.detail_type: f"orders.{contract.said_by}" for contract in CONTRACTS}


@dataclass(frozen=True)
class Grants:
    """DynamoDB's actions by table, or by index (`orders/index/name`), and the events it says."""

    tables: Mapping[str, Set[str]]
    says: Set[str] = field(default_factory=frozenset)

    @property
    def may_say(self) -> Set[tuple[str, str]]:
        """Source and detail-type of each event."""
        return {(SOURCES[detail_type], detail_type) for detail_type in self.says}


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
}

# Every table and index that some service may use, to try the others on.
TABLES = sorted({table for grants in GRANTS.values() for table in grants.tables})

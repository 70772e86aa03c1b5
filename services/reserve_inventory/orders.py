"""The conditional writes of reserve_inventory: the order's step and its units, in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbing.conditional_write import Update, write_together
from plumbing.publish import Entry
from plumbing.step import Clock, Standing, record, standing, step, told, utc_now
from reserve_inventory.events import InventoryFailed, InventoryReserved, OrderCreated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OrdersTable:
    """The `orders` table, and the units per SKU in the `inventory` table."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        inventory_table: str,
        source: str,
        clock: Clock = utc_now,
    ) -> None:
        self._client, self._table, self._inventory_table = client, table, inventory_table
        self._source, self._clock = source, clock

    def hold(self, said: InventoryReserved) -> Standing | None:
        """Take the units and record the step in one transaction; None when too few are left."""
        event = Entry.of(self._source, said)
        expects = _expects(said)
        order = step(
            self._table,
            {"orderId": str(said.order_id)},
            expects=expects,
            status=said.status,
            event=event,
            at=self._clock(),
            adds={"reservationId": str(said.reservation_id)},
        )
        units = Update(
            table=self._inventory_table,
            key={"sku": said.sku},
            change="SET #available = #available - :units",
            condition="#available >= :units",
            names={"#available": "available"},
            values={":units": said.quantity},
        )
        verdicts = write_together(self._client, [order, units])
        if verdicts is None:
            return Standing(said.status, event, recorded=True)
        of_order, _ = verdicts
        return standing(of_order.item, expects) if of_order else None

    def fail(self, said: InventoryFailed) -> Standing:
        """Record that the order failed for want of stock."""
        return record(
            self._client,
            self._table,
            {"orderId": str(said.order_id)},
            expects=_expects(said),
            status=said.status,
            event=Entry.of(self._source, said),
            at=self._clock(),
            adds={"failureReason": said.reason},
            ends=True,
        )


def _expects(order: OrderCreated) -> dict[str, Any]:
    return told(order, OrderCreated, OrderCreated.status)

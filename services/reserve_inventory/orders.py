"""The conditional writes of reserve_inventory: the order's step and its units, in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plumbing.conditional_write import Update, transact
from plumbing.outbox import OutboxEvent
from plumbing.step import Clock, SagaState, expected_fields, record, step, utc_now
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

    def hold(self, outgoing: InventoryReserved) -> SagaState | None:
        """Take the units and record the step in one transaction; None when too few are left."""
        outbox = OutboxEvent.of(self._source, outgoing)
        expected = _expected(outgoing)
        order = step(
            self._table,
            {"orderId": str(outgoing.order_id)},
            expected=expected,
            status=outgoing.status,
            outbox=outbox,
            at=self._clock(),
            adds={"reservationId": str(outgoing.reservation_id)},
        )
        units = Update(
            table=self._inventory_table,
            key={"sku": outgoing.sku},
            change="SET #available = #available - :units",
            condition="#available >= :units",
            names={"#available": "available"},
            values={":units": outgoing.quantity},
        )
        results = transact(self._client, [order, units])
        if results is None:
            return SagaState(outgoing.status, outbox, applied=True)
        of_order, _ = results
        return SagaState.from_item(of_order.item, expected) if of_order else None

    def fail(self, outgoing: InventoryFailed) -> SagaState:
        """Record that there are too few units."""
        return record(
            self._client,
            self._table,
            {"orderId": str(outgoing.order_id)},
            expected=_expected(outgoing),
            status=outgoing.status,
            outbox=OutboxEvent.of(self._source, outgoing),
            at=self._clock(),
            adds={"failureReason": outgoing.reason},
            final=True,
        )


def _expected(order: OrderCreated) -> dict[str, Any]:
    return expected_fields(order, OrderCreated, OrderCreated.status)

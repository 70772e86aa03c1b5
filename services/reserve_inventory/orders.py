"""The conditional writes of reserve_inventory: the order's step and its units, in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plumbing.conditional_write import Update
from plumbing.outbox import OutboxEvent
from plumbing.step import Clock, OthersRefused, SagaState, Transition, record, utc_now
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
        order = self._transition(outgoing, {"reservationId": str(outgoing.reservation_id)})
        units = Update(
            table=self._inventory_table,
            key={"sku": outgoing.sku},
            change="SET #available = #available - :units",
            condition="#available >= :units",
            names={"#available": "available"},
            values={":units": outgoing.quantity},
        )
        try:
            return record(self._client, order, OutboxEvent.of(self._source, outgoing), units)
        except OthersRefused:
            return None

    def fail(self, outgoing: InventoryFailed) -> SagaState:
        """Record that there are too few units."""
        order = self._transition(outgoing, {"failureReason": outgoing.reason}, final=True)
        return record(self._client, order, OutboxEvent.of(self._source, outgoing))

    def _transition(
        self,
        outgoing: InventoryReserved | InventoryFailed,
        adds: Mapping[str, Any],
        *,
        final: bool = False,
    ) -> Transition:
        return Transition(
            table=self._table,
            key={"orderId": str(outgoing.order_id)},
            expected=OrderCreated.status,
            consumed=outgoing.carried,
            status=outgoing.status,
            at=self._clock(),
            adds=adds,
            final=final,
        )

"""The conditional write of release_inventory: the order's last step and its units, in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbing.conditional_write import Update
from plumbing.outbox import EventMismatchError
from plumbing.step import Clock, OthersRefused, Transition, attempt, utc_now
from release_inventory.events import RELEASED, PaymentFailed
from release_inventory.release_inventory import Released

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OrdersTable:
    """The `orders` table, and the units per SKU in the `inventory` table."""

    def __init__(
        self, client: DynamoDBClient, table: str, inventory_table: str, clock: Clock = utc_now
    ) -> None:
        self._client, self._table, self._inventory_table = client, table, inventory_table
        self._clock = clock

    def release(self, event: PaymentFailed) -> Released:
        """Release the units and end the order in one transaction, unless that is done already."""
        order = Transition(
            table=self._table,
            key={"orderId": str(event.order_id)},
            expected=PaymentFailed.status,
            consumed=event.carried,
            status=RELEASED,
            at=self._clock(),
            adds={},
            final=True,
        )
        units = Update(
            table=self._inventory_table,
            key={"sku": event.sku},
            change="SET #available = #available + :units",
            condition="attribute_exists(#available)",
            names={"#available": "available"},
            values={":units": event.quantity},
        )
        try:
            moved_on = attempt(self._client, order, None, units)
        except OthersRefused as error:
            message = f"the inventory has no {event.sku}, yet units of it were held"
            raise EventMismatchError(message) from error
        if moved_on:
            return Released(moved_on.status, applied=False)
        return Released(RELEASED, applied=True)

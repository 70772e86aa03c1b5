"""The conditional write of release_inventory: the order's last step and its units, in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumbing.conditional_write import Update, write_together
from plumbing.step import Clock, Contradiction, standing, step, told, utc_now
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

    def release(self, heard: PaymentFailed) -> Released:
        """Put the units back and end the order in one transaction, unless that is done already."""
        expects = told(heard, PaymentFailed, PaymentFailed.status)
        expects["failureReason"] = expects.pop("reason")
        order = step(
            self._table,
            {"orderId": str(heard.order_id)},
            expects=expects,
            status=RELEASED,
            event=None,
            at=self._clock(),
            adds={},
            ends=True,
        )
        units = Update(
            table=self._inventory_table,
            key={"sku": heard.sku},
            change="SET #available = #available + :units",
            condition="attribute_exists(#available)",
            names={"#available": "available"},
            values={":units": heard.quantity},
        )
        verdicts = write_together(self._client, [order, units])
        if verdicts is None:
            return Released(RELEASED, recorded=True)
        of_order, _ = verdicts
        if of_order is None:
            raise Contradiction(f"the inventory knows no {heard.sku}, yet units of it were held")
        return Released(standing(of_order.item, expects).status, recorded=False)

"""The conditional write of create_order, and the reading of one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from create_order.create_order import OrderDiffers
from create_order.events import OrderCreated
from plumbing.conditional_write import read, write_new
from plumbing.publish import Entry
from plumbing.step import TRACEPARENT, Standing, opened, stamp

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# What makes an order another one. Sent again, it comes at another time and in another trace.
ORDERED = ("customerId", "sku", "quantity", "amountCents")


class OrdersTable:
    """The `orders` table: one item per order, keyed by `orderId`."""

    def __init__(self, client: DynamoDBClient, table: str, source: str) -> None:
        self._client, self._table, self._source = client, table, source

    def create(self, said: OrderCreated) -> Standing:
        """Put the order with the event it will say, unless its id is taken."""
        order, event = msgspec.to_builtins(said), Entry.of(self._source, said)
        del order[TRACEPARENT]  # the event has it
        item = {
            **order,
            "status": said.status,
            "event": msgspec.to_builtins(event),
            "history": [stamp(said.status, said.created_at)],
            **opened(said.order_id),
        }
        taken = write_new(self._client, self._table, "orderId", item)
        if taken is None:
            return Standing(said.status, event, recorded=True)
        stored = taken.item or {}
        if any(stored.get(field) != order[field] for field in ORDERED):
            raise OrderDiffers
        return Standing(stored["status"], msgspec.convert(stored["event"], Entry))

    def find(self, order_id: UUID) -> dict[str, Any] | None:
        """Answer the stored order, or None."""
        return read(self._client, self._table, {"orderId": str(order_id)})

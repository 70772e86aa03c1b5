"""The conditional write of create_order, and the read of one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from create_order.create_order import OrderDiffers
from create_order.events import OrderCreated
from plumbing.conditional_write import put_new, read
from plumbing.outbox import OutboxEvent
from plumbing.step import TRACEPARENT, SagaState, history_entry, open_index_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The fields in which an order can differ. A request sent again has another time and trace.
COMPARED = ("customerId", "sku", "quantity", "amountCents")


class OrdersTable:
    """The `orders` table: one item per order, keyed by `orderId`."""

    def __init__(self, client: DynamoDBClient, table: str, source: str) -> None:
        self._client, self._table, self._source = client, table, source

    def create(self, order: OrderCreated) -> SagaState:
        """Put the order with the event to publish, unless its id is taken."""
        outbox = OutboxEvent.of(self._source, order)
        fields = msgspec.to_builtins(order)
        del fields[TRACEPARENT]  # the outbox has it
        item = {
            **fields,
            "status": order.status,
            "outbox": msgspec.to_builtins(outbox),
            "history": [history_entry(order.status, order.created_at)],
            **open_index_key(order.order_id),
        }
        taken = put_new(self._client, self._table, "orderId", item)
        if taken is None:
            return SagaState(order.status, outbox, applied=True)
        stored = taken.item or {}
        if any(stored.get(field) != fields[field] for field in COMPARED):
            raise OrderDiffers
        return SagaState(stored["status"], msgspec.convert(stored["outbox"], OutboxEvent))

    def find(self, order_id: UUID) -> dict[str, Any] | None:
        """Return the stored order, or None."""
        return read(self._client, self._table, {"orderId": str(order_id)})

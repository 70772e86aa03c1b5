"""The conditional write of create_order, and the read of one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from create_order.create_order import OrderDiffers, OrderTooLarge
from create_order.events import OrderCreated
from plumbing.conditional_write import put_new, read
from plumbing.event import detail_of
from plumbing.outbox import OutboxEvent
from plumbing.step import TRACEPARENT, SagaState, history_entry, open_index_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# What the first event of an order may have. EventBridge takes 1 MB (256 KB until January 2026), and
# an item of DynamoDB has 400 KB for the order's fields and its last event, which services add to.
MAX_DETAIL_BYTES = 100 * 1024
# All other fields of an order are compared when its request is sent again, with another time and
# trace. A field that the order does not have is absent, not null.
NOT_COMPARED = {"carried", "orderId", "createdAt", TRACEPARENT}
ABSENT = object()


class OrdersTable:
    """The `orders` table: one item per order, keyed by `orderId`."""

    def __init__(self, client: DynamoDBClient, table: str, source: str) -> None:
        self._client, self._table, self._source = client, table, source

    def create(self, order: OrderCreated) -> SagaState:
        """Put the order with the event to publish, unless its id is taken."""
        outbox = OutboxEvent.of(self._source, order)
        size = len(outbox.detail.encode())
        if size > MAX_DETAIL_BYTES:
            raise OrderTooLarge(size)
        fields = detail_of(order)
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
            return SagaState.stored(item, applied=True)
        stored = taken.item or {}
        compared = set(order.__struct_encode_fields__) - NOT_COMPARED
        if any(stored.get(name, ABSENT) != fields.get(name, ABSENT) for name in compared):
            raise OrderDiffers
        return SagaState.stored(stored)

    def find(self, order_id: UUID) -> dict[str, Any] | None:
        """Return the stored order, or None."""
        return read(self._client, self._table, {"orderId": str(order_id)})

"""The index of open orders, and the conditional writes of resume_orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from plumbing.conditional_write import Item, Update, query, read, write
from plumbing.outbox import OutboxEvent
from plumbing.step import SHARDS, format_timestamp
from resume_orders.resume_orders import OpenOrder, StoredOrder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "open"
# Given-up orders are in a partition of their own, which a run does not search for due orders.
GIVEN_UP = "given-up"


class OrdersTable:
    """The `orders` table, and its index of the orders that have not ended."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def open(self, until: datetime) -> Iterator[OpenOrder]:
        """Read the index, up to the orders created then."""
        for shard in SHARDS:
            yield from self._read(shard, until)

    def given_up(self) -> Iterator[OpenOrder]:
        """Read the partition of given-up orders."""
        yield from self._read(GIVEN_UP, datetime.max.replace(tzinfo=UTC))

    def find(self, order_id: str) -> StoredOrder | None:
        """Read the order itself: the index may lag behind."""
        item = read(self._client, self._table, {"orderId": order_id})
        if item is None or "openShard" not in item:
            return None
        return StoredOrder(
            order_id=order_id,
            status=item["status"],
            last_step_at=datetime.fromisoformat(item["history"][-1]["at"]),
            next_attempt_at=item.get("nextAttemptAt"),
            resumes=int(item.get("resumes", 0)),
            outbox=msgspec.convert(item["outbox"], OutboxEvent),
        )

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set the next attempt, and how often the order was resumed by then."""
        changes = {
            "openShard": order.order_id[0],
            "nextAttemptAt": format_timestamp(until),
            "resumes": resumes,
        }
        return self._set(order, changes)

    def give_up(self, order: StoredOrder) -> bool:
        """Move the order to the partition of given-up orders."""
        return self._set(order, {"openShard": GIVEN_UP})

    def _read(self, shard: str, until: datetime) -> Iterator[OpenOrder]:
        up_to = ("createdAt", format_timestamp(until))
        for item in query(self._client, self._table, INDEX, ("openShard", shard), up_to):
            yield OpenOrder(
                order_id=item["orderId"],
                created_at=datetime.fromisoformat(item["createdAt"]),
                next_attempt_at=datetime.fromisoformat(
                    item.get("nextAttemptAt") or item["createdAt"]
                ),
            )

    def _set(self, order: StoredOrder, changes: Item) -> bool:
        """Change an order that is open, and made no step and was not deferred since it was read."""
        seen = order.next_attempt_at
        deferred = "#nextAttemptAt = :seen" if seen else "attribute_not_exists(#nextAttemptAt)"
        update = Update(
            table=self._table,
            key={"orderId": order.order_id},
            change="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            condition=f"#status = :status AND attribute_exists(#openShard) AND {deferred}",
            names={f"#{name}": name for name in ("status", "openShard", "nextAttemptAt", *changes)},
            values={
                **{f":{name}": value for name, value in changes.items()},
                ":status": order.status,
                **({":seen": seen} if seen else {}),
            },
        )
        return write(self._client, update) is None

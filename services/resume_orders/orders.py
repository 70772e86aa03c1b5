"""The index of open orders, and the conditional writes of resume_orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from plumbing.conditional_write import Item, Update, query, read, write
from plumbing.publish import Entry
from plumbing.step import SHARDS, written
from resume_orders.resume_orders import OpenOrder, StoredOrder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "open"
# Orders that were given up lie in a partition of their own, where nothing looks for what is due.
GIVEN_UP = "given-up"


class OrdersTable:
    """The `orders` table, and its index of the orders that have not ended."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def open(self, until: datetime) -> Iterator[OpenOrder]:
        """Read the index, up to those opened then."""
        for shard in SHARDS:
            yield from self._read(shard, until)

    def given_up(self) -> Iterator[OpenOrder]:
        """Read the index's partition of those given up."""
        yield from self._read(GIVEN_UP, datetime.max.replace(tzinfo=UTC))

    def find(self, order_id: str) -> StoredOrder | None:
        """Read the order itself: the index may lag behind."""
        item = read(self._client, self._table, {"orderId": order_id})
        if item is None or "openShard" not in item:
            return None
        return StoredOrder(
            order_id=order_id,
            status=item["status"],
            moved=datetime.fromisoformat(item["history"][-1]["at"]),
            due=item.get("due"),
            resumes=int(item.get("resumes", 0)),
            event=msgspec.convert(item["event"], Entry),
        )

    def put_off(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set when the order is due, and how often it was resumed by then."""
        shard = order.order_id[0]
        return self._set(order, {"openShard": shard, "due": written(until), "resumes": resumes})

    def give_up(self, order: StoredOrder) -> bool:
        """Move the order to the partition of those given up."""
        return self._set(order, {"openShard": GIVEN_UP})

    def _read(self, shard: str, until: datetime) -> Iterator[OpenOrder]:
        opened_until = ("createdAt", written(until))
        for item in query(self._client, self._table, INDEX, ("openShard", shard), opened_until):
            yield OpenOrder(
                order_id=item["orderId"],
                since=datetime.fromisoformat(item["createdAt"]),
                due=datetime.fromisoformat(item.get("due") or item["createdAt"]),
            )

    def _set(self, order: StoredOrder, changes: Item) -> bool:
        """Change an order that is open and has neither moved nor been put off since it was read."""
        rests = "#due = :seen" if order.due else "attribute_not_exists(#due)"
        update = Update(
            table=self._table,
            key={"orderId": order.order_id},
            change="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            condition=f"#status = :status AND attribute_exists(#openShard) AND {rests}",
            names={f"#{name}": name for name in ("status", "openShard", "due", *changes)},
            values={
                **{f":{name}": value for name, value in changes.items()},
                ":status": order.status,
                **({":seen": order.due} if order.due else {}),
            },
        )
        return write(self._client, update) is None

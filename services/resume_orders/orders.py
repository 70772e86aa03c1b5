"""The index of open orders, and the conditional writes of resume_orders."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from plumbing.conditional_write import Item, Update, query, read, write
from plumbing.outbox import OutboxEvent
from plumbing.step import SHARDS, format_timestamp, open_index_key
from resume_orders.resume_orders import OpenOrder, StoredOrder, UnreadableOrder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "open"
# Given-up orders are in a partition of their own, which a run does not search for due orders.
GIVEN_UP = "given-up"
# Below and above every time, also one that is none.
LOWEST, HIGHEST = "!", "~"

Moment = Annotated[datetime, Meta(tz=True)]


class Step(Struct, frozen=True):
    """An entry of an order's history."""

    at: Moment


class Stored(Struct, frozen=True, rename="camel"):
    """What the sweep reads of an order's item."""

    status: str
    history: Annotated[list[Step], Meta(min_length=1)]
    outbox: OutboxEvent
    next_attempt_at: str | None = None
    resumes: int = 0


class OrdersTable:
    """The `orders` table, and its index of the orders that have not ended."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client, self._table = client, table

    def open(self, now: datetime, young: timedelta) -> Iterator[OpenOrder]:
        """Read the index, but for what was created within `young` of now."""
        before, after = format_timestamp(now - young), format_timestamp(now + young)
        # An order whose clock was ahead is younger than now.
        ranges = [(LOWEST, before), (after, HIGHEST)] if young else [(LOWEST, HIGHEST)]
        for shard in SHARDS:
            for low, high in ranges:
                yield from self._read(shard, now, low, high)

    def given_up(self, now: datetime) -> Iterator[OpenOrder]:
        """Read the partition of given-up orders."""
        yield from self._read(GIVEN_UP, now, LOWEST, HIGHEST)

    def find(self, order_id: str) -> StoredOrder | UnreadableOrder | None:
        """Read the order itself: the index may lag behind."""
        item = read(self._client, self._table, {"orderId": order_id})
        if item is None or "openShard" not in item:
            return None
        try:
            stored = msgspec.convert(item, Stored)
            deferred = _moment(stored.next_attempt_at)
        except msgspec.ValidationError as error:
            return UnreadableOrder(order_id, str(error))
        return StoredOrder(
            order_id=order_id,
            status=stored.status,
            last_step_at=stored.history[-1].at,
            next_attempt_at=deferred,
            seen=stored.next_attempt_at,
            resumes=stored.resumes,
            outbox=stored.outbox,
        )

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set the next attempt, and how often the order was resumed by then."""
        changes = {
            **open_index_key(order.order_id),
            "nextAttemptAt": format_timestamp(until),
            "resumes": resumes,
        }
        return self._set(order.order_id, changes, _as_it_was_read(order))

    def give_up(self, order: StoredOrder | UnreadableOrder) -> bool:
        """Move the order to the partition of given-up orders."""
        as_read = _as_it_was_read(order) if isinstance(order, StoredOrder) else {}
        return self._set(order.order_id, {"openShard": GIVEN_UP}, as_read)

    def _read(self, shard: str, now: datetime, low: str, high: str) -> Iterator[OpenOrder]:
        equal, between = ("openShard", shard), ("createdAt", low, high)
        for item in query(self._client, self._table, INDEX, equal, between):
            yield OpenOrder(
                order_id=item["orderId"],
                created_at=_readable(item["createdAt"]) or now,
                next_attempt_at=_readable(item.get("nextAttemptAt")),
            )

    def _set(self, order_id: str, changes: Item, as_read: Item) -> bool:
        """Change an order that is open and `as_read`; return whether it was."""
        clauses = ["attribute_exists(#openShard)"] + [
            f"attribute_not_exists(#{name})" if value is None else f"#{name} = :read_{name}"
            for name, value in as_read.items()
        ]
        update = Update(
            table=self._table,
            key={"orderId": order_id},
            change="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            condition=" AND ".join(clauses),
            names={f"#{name}": name for name in ("openShard", *as_read, *changes)},
            values={
                **{f":{name}": value for name, value in changes.items()},
                **{f":read_{name}": read for name, read in as_read.items() if read is not None},
            },
        )
        return write(self._client, update) is None


def _as_it_was_read(order: StoredOrder) -> Item:
    """Return what is different once the order made a step or was deferred."""
    return {"status": order.status, "nextAttemptAt": order.seen}


def _moment(text: Any) -> datetime | None:
    """Convert a stored time; raises msgspec.ValidationError."""
    return None if text is None else msgspec.convert(text, Moment)


def _readable(text: Any) -> datetime | None:
    """Convert a stored time, or return None for what is none: the order itself is read next."""
    try:
        return _moment(text)
    except msgspec.ValidationError:
        return None

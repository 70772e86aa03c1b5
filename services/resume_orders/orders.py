"""The indexes of open orders, and the conditional writes of resume_orders."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from plumbing.conditional_write import Item, Update, query, read, write
from plumbing.outbox import OutboxEvent
from plumbing.step import SHARDS, format_timestamp, open_index_key
from resume_orders.resume_orders import OpenOrder, StoredOrder, UnreadableOrder

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# All open orders, in the partition `openShard`, by when they were created.
OPEN = "open"
# Those that a run deferred, by when their next attempt is.
DEFERRED = "deferred"
# A run that looks at an order moves it: so the fresh ones of a shard, those that no run has looked
# at since their last step, are in a partition of their own.
DEFERRED_SHARDS = tuple(f"deferred-{shard}" for shard in SHARDS)
# Given-up orders are in one that no run searches for due orders.
GIVEN_UP = "given-up"
# A walk through all goes on to where it has not been yet: it makes every order a fresh one.
PARTITIONS = (*SHARDS, *DEFERRED_SHARDS, GIVEN_UP)
PAGE = 50  # orders; a run looks at so many of a shard if all have as many
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

    def fresh(
        self, shard: str, *, until: datetime | None = None, after: datetime | None = None
    ) -> Iterator[OpenOrder]:
        """Read the shard's partition of fresh orders."""
        return self._read(OPEN, shard, _range(until, after))

    def deferred(
        self, shard: str, *, until: datetime | None = None, after: datetime | None = None
    ) -> Iterator[OpenOrder]:
        """Read the shard's partition of deferred orders."""
        return self._read(DEFERRED, f"deferred-{shard}", _range(until, after))

    def oldest(self, until: datetime) -> datetime | None:
        """Read the first order of each partition."""
        first = (
            next(self._read(OPEN, partition, _range(until, None), page=1), None)
            for partition in (*SHARDS, *DEFERRED_SHARDS)
        )
        return min((order.at for order in first if order and order.at), default=None)

    def count_given_up(self, limit: int) -> int:
        """Read the partition of given-up orders."""
        found = self._read(OPEN, GIVEN_UP, (LOWEST, HIGHEST), page=limit)
        return sum(1 for _ in islice(found, limit))

    def walk(self, after: str) -> Iterator[OpenOrder]:
        """Read all partitions, one after the other."""
        partition, order_id, created_at = after.split(" ", 2) if after else ("", "", "")
        first = PARTITIONS.index(partition) if after else 0
        for place in PARTITIONS[first:]:
            start = {"openShard": place, "orderId": order_id, "createdAt": created_at}
            begin = start if place == partition else None
            yield from self._read(OPEN, place, (LOWEST, HIGHEST), after=begin)

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
            is_fresh=item["openShard"] in SHARDS,
            is_given_up=item["openShard"] == GIVEN_UP,
        )

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Move the order to where it is found at its next attempt."""
        [shard] = open_index_key(order.order_id).values()
        return self._set_next(order, f"deferred-{shard}", until, resumes)

    def refresh(self, order: StoredOrder, until: datetime) -> bool:
        """Move the order to where all releases of the sweep look, and count from zero."""
        [shard] = open_index_key(order.order_id).values()
        return self._set_next(order, shard, until, 0)

    def give_up(self, order: StoredOrder | UnreadableOrder) -> bool:
        """Move the order to the partition of given-up orders."""
        as_read = _as_it_was_read(order) if isinstance(order, StoredOrder) else {}
        return self._set(order.order_id, {"openShard": GIVEN_UP}, as_read)

    def _read(
        self,
        index: str,
        partition: str,
        between: tuple[str, str],
        page: int = PAGE,
        after: Item | None = None,
    ) -> Iterator[OpenOrder]:
        sort = "createdAt" if index == OPEN else "nextAttemptAt"
        equal, within = ("openShard", partition), (sort, *between)
        for item in query(self._client, self._table, index, equal, within, page, after):
            order_id, at = item["orderId"], item[sort]
            yield OpenOrder(order_id, _readable(at), f"{partition} {order_id} {at}")

    def _set_next(self, order: StoredOrder, partition: str, until: datetime, resumes: int) -> bool:
        changes = {
            "openShard": partition,
            "nextAttemptAt": format_timestamp(until),
            "resumes": resumes,
        }
        return self._set(order.order_id, changes, _as_it_was_read(order))

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
            names={f"#{name}": name for name in (*as_read, *changes)},
            values={
                **{f":{name}": value for name, value in changes.items()},
                **{f":read_{name}": read for name, read in as_read.items() if read is not None},
            },
        )
        return write(self._client, update) is None


def _range(until: datetime | None, after: datetime | None) -> tuple[str, str]:
    """Return the lowest and the highest text of a time until or after another, inclusive."""
    return (
        format_timestamp(after) if after else LOWEST,
        format_timestamp(until) if until else HIGHEST,
    )


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

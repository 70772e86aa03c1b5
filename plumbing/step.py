"""One step of a saga: a conditional write that stores its outcome with the event it will say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from plumbing.conditional_write import Item, Update, write
from plumbing.publish import Entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]

# An item whose saga is open has `openShard`, the first digit of its id: together with `createdAt`
# it is the key of a sparse index, spread over sixteen partitions, that holds open items and no
# others.
SHARDS = "0123456789abcdef"

TRACEPARENT = "traceparent"


class Contradiction(Exception):
    """An event speaks of an item that is not stored, or differs from what is stored of it."""


class Standing(msgspec.Struct, frozen=True):
    """Where an item stands: its status, and the event last stored with it.

    `recorded` tells whether the very call that asks made it so; only what is measured follows from
    it, never what is done.
    """

    status: str
    event: Entry
    recorded: bool = False


def utc_now() -> datetime:
    """Answer the time of day, in UTC."""
    return datetime.now(UTC)


def written(at: datetime) -> str:
    """Write a time as it is stored: ISO 8601, UTC, to the millisecond, so that it sorts."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamp(status: str, at: str) -> dict[str, str]:
    """Build an entry of an item's history."""
    return {"status": status, "at": at}


def opened(identity: UUID) -> dict[str, str]:
    """Build what keeps an item in the index of open items, until a step that `ends` its saga."""
    return {"openShard": str(identity)[0]}


def told(event: msgspec.Struct, kind: type[msgspec.Struct], status: str) -> dict[str, Any]:
    """Build what a step expects of an item: this status, and all that a `kind` tells of it.

    The item's fields are called as they are on the wire. All of them, because a step says what it
    heard on: one that is not as stored would go from event to event. But for the trace, which
    decides nothing and is stored in the event alone.
    """
    fields = msgspec.to_builtins(event)
    told = {name: fields[name] for name in kind.__struct_encode_fields__ if name != TRACEPARENT}
    return {"status": status, **told}


def step(
    table: str,
    key: Mapping[str, Any],
    *,
    expects: Mapping[str, Any],
    status: str,
    event: Entry | None,
    at: datetime,
    adds: Mapping[str, Any],
    ends: bool = False,
) -> Update:
    """Build the update that takes the item, if it is as `expects` says, on to `status`.

    It stores the event to say (None: this step says nothing), sets what the step `adds`, and
    appends status and time to the item's `history`. A step that `ends` the saga takes the item
    out of the index of open items.
    """
    sets = {"status": status, **adds}
    if event is not None:
        sets["event"] = msgspec.to_builtins(event)
    assignments = ", ".join(f"#{name} = :{name}" for name in sets)
    removes = ["openShard"] if ends else []
    return Update(
        table=table,
        key=key,
        change=f"SET {assignments}, #history = list_append(#history, :step)"
        + "".join(f" REMOVE #{name}" for name in removes),
        condition=" AND ".join(f"#{name} = :expected_{name}" for name in expects),
        names={f"#{name}": name for name in (*expects, *sets, "history", *removes)},
        values={
            **{f":{name}": value for name, value in sets.items()},
            **{f":expected_{name}": value for name, value in expects.items()},
            ":step": [stamp(status, written(at))],
        },
    )


def record(
    client: DynamoDBClient,
    table: str,
    key: Mapping[str, Any],
    *,
    expects: Mapping[str, Any],
    status: str,
    event: Entry,
    at: datetime,
    adds: Mapping[str, Any],
    ends: bool = False,
) -> Standing:
    """Make one step with the event it will say; answer where the item stands then.

    That is this step's outcome, or, when the item was not as expected, what stands there already.
    """
    update = step(
        table, key, expects=expects, status=status, event=event, at=at, adds=adds, ends=ends
    )
    refused = write(client, update)
    return standing(refused.item, expects) if refused else Standing(status, event, recorded=True)


def standing(item: Item | None, expects: Mapping[str, Any]) -> Standing:
    """Answer where a stored item stands.

    Raises Contradiction when there is no item, or when it has the status that the step `expects`
    but differs in another field: then the event that was heard is not the one that was said.
    """
    if item is None:
        raise Contradiction("the event speaks of something that is not stored")
    differing = [name for name, value in expects.items() if item.get(name) != value]
    if differing and "status" not in differing:
        raise Contradiction(f"the event differs from what is stored in {', '.join(differing)}")
    return Standing(item["status"], msgspec.convert(item["event"], Entry))

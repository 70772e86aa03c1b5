"""One step of a saga: a conditional write that stores its outcome with the event to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from plumbing.conditional_write import Item, Update, write
from plumbing.outbox import OutboxEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]

# An item whose saga is open has `openShard`, the first digit of its id. Together with `createdAt`
# it is the key of a sparse index, spread over sixteen partitions, which holds only open items.
SHARDS = "0123456789abcdef"

TRACEPARENT = "traceparent"


class EventMismatchError(Exception):
    """An event refers to an item that is not stored, or differs from what is stored of it."""


class SagaState(msgspec.Struct, frozen=True):
    """The state of one saga, read from its item: its status, and the event stored last.

    `applied` is true if the very call that asks made it so. Only measurements depend on that,
    never behaviour.
    """

    status: str
    outbox: OutboxEvent
    applied: bool = False

    @classmethod
    def from_item(cls, item: Item | None, expected: Mapping[str, Any]) -> SagaState:
        """Read the state from a stored item.

        Raises EventMismatchError when there is no item, or when it has the `expected` status but
        differs in another field: then the delivered event is not the one that was published.
        """
        if item is None:
            raise EventMismatchError("the event refers to something that is not stored")
        differing = [name for name, value in expected.items() if item.get(name) != value]
        if differing and "status" not in differing:
            raise EventMismatchError(
                f"the event differs from what is stored in {', '.join(differing)}"
            )
        return cls(item["status"], msgspec.convert(item["outbox"], OutboxEvent))


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def format_timestamp(at: datetime) -> str:
    """Format a time as it is stored: ISO 8601, UTC, to the millisecond, so that it sorts."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def history_entry(status: str, at: str) -> dict[str, str]:
    """Build an entry of an item's history."""
    return {"status": status, "at": at}


def open_index_key(identity: UUID) -> dict[str, str]:
    """Build what keeps an item in the index of open items, until a step that is `final`."""
    return {"openShard": str(identity)[0]}


def expected_fields(
    event: msgspec.Struct, kind: type[msgspec.Struct], status: str
) -> dict[str, Any]:
    """Build what a step expects of an item: this status, and every field that a `kind` has.

    The item's fields have the names that they have on the wire. All of them are compared, because
    the next event carries what this one had: a difference would travel on. The trace is left out:
    it decides nothing, and is stored in the outbox alone.
    """
    fields = msgspec.to_builtins(event)
    compared = {name: fields[name] for name in kind.__struct_encode_fields__ if name != TRACEPARENT}
    return {"status": status, **compared}


def step(
    table: str,
    key: Mapping[str, Any],
    *,
    expected: Mapping[str, Any],
    status: str,
    outbox: OutboxEvent | None,
    at: datetime,
    adds: Mapping[str, Any],
    final: bool = False,
) -> Update:
    """Build the update that takes the item, if its fields are as `expected`, on to `status`.

    It stores the event to publish in `outbox` (None: this step publishes nothing), sets what the
    step `adds`, and appends status and time to `history`. A `final` step takes the item out of the
    index of open items.
    """
    sets = {"status": status, **adds}
    if outbox is not None:
        sets["outbox"] = msgspec.to_builtins(outbox)
    assignments = ", ".join(f"#{name} = :{name}" for name in sets)
    removes = ["openShard"] if final else []
    return Update(
        table=table,
        key=key,
        change=f"SET {assignments}, #history = list_append(#history, :step)"
        + "".join(f" REMOVE #{name}" for name in removes),
        condition=" AND ".join(f"#{name} = :expected_{name}" for name in expected),
        names={f"#{name}": name for name in (*expected, *sets, "history", *removes)},
        values={
            **{f":{name}": value for name, value in sets.items()},
            **{f":expected_{name}": value for name, value in expected.items()},
            ":step": [history_entry(status, format_timestamp(at))],
        },
    )


def record(
    client: DynamoDBClient,
    table: str,
    key: Mapping[str, Any],
    *,
    expected: Mapping[str, Any],
    status: str,
    outbox: OutboxEvent,
    at: datetime,
    adds: Mapping[str, Any],
    final: bool = False,
) -> SagaState:
    """Make one step with the event to publish; return the state of the saga after it.

    That is this step's outcome, or what is stored already when the item was not as expected.
    """
    update = step(
        table, key, expected=expected, status=status, outbox=outbox, at=at, adds=adds, final=final
    )
    failed = write(client, update)
    return SagaState.from_item(failed.item, expected) if failed else SagaState(status, outbox, True)

"""One step of a saga: a conditional write that stores its outcome with the event to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from plumbing.conditional_write import ConditionFailed, Item, Update, transact, write
from plumbing.event import Detail, digest_of
from plumbing.outbox import EventMismatchError, OutboxEvent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Clock = Callable[[], datetime]

# An item whose saga is open has `openShard`, the first digit of its id. Together with `createdAt`
# it is the key of a sparse index, spread over sixteen partitions, which holds only open items. The
# sweep moves an item that it looked at to another partition; the next step moves it back.
SHARDS = "0123456789abcdef"
# What the sweep notes of the step that an item stands at; the next step removes it.
SWEEP_NOTES = ("nextAttemptAt", "resumes")

TRACEPARENT = "traceparent"


class OthersRefused(Exception):
    """The step could be made, but another update of its transaction was refused."""


class SagaState(msgspec.Struct, frozen=True):
    """The state of one saga, read from its item: its status, the event stored last, and since when.

    `applied` is true if the very call that asks made it so. Only measurements depend on that,
    never behaviour.
    """

    status: str
    outbox: OutboxEvent
    since: datetime
    applied: bool = False

    @classmethod
    def from_item(cls, item: Item | None, expected: str, consumed: Detail) -> SagaState:
        """Read the state from a stored item.

        Raises EventMismatchError when there is no item, or when it has the status `expected` and
        the detail `consumed` is not that of its outbox: the event is not the one that was
        published.
        """
        if item is None:
            raise EventMismatchError("the event refers to something that is not stored")
        state = cls.stored(item)
        if state.status == expected:
            state.outbox.require(consumed)
        return state

    @classmethod
    def stored(cls, item: Item, *, applied: bool = False) -> SagaState:
        """Read the state from a stored item, whatever is expected of it."""
        return cls(
            item["status"],
            msgspec.convert(item["outbox"], OutboxEvent),
            datetime.fromisoformat(item["history"][-1]["at"]),
            applied,
        )


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def format_timestamp(at: datetime) -> str:
    """Format a time as it is stored: ISO 8601, UTC, to the millisecond, so that it sorts."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def history_entry(status: str, at: str) -> dict[str, str]:
    """Build an entry of an item's history."""
    return {"status": status, "at": at}


def open_index_key(identity: UUID | str) -> dict[str, str]:
    """Build what keeps an item in the index of open items, until a step that is `final`."""
    return {"openShard": str(identity)[0]}


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A step of one saga: the item, what is expected of it, and what the step changes.

    expected: the status that the item has to have.
    consumed: the detail of the event that asks for the step; the outbox has to have its digest.
    status: the status after the step.
    adds: the fields that the step adds.
    final: the step ends the saga, and takes the item out of the index of open items.
    """

    table: str
    key: Mapping[str, Any]
    expected: str
    consumed: Detail
    status: str
    at: datetime
    adds: Mapping[str, Any]
    final: bool = False


def record(
    client: DynamoDBClient, transition: Transition, outbox: OutboxEvent, *others: Update
) -> SagaState:
    """Make one step with the event to publish; return the state of the saga after it.

    That is this step's outcome, or what is stored already when the saga has moved on. Raises as
    `attempt` does.
    """
    moved_on = attempt(client, transition, outbox, *others)
    return moved_on or SagaState(transition.status, outbox, transition.at, applied=True)


def attempt(
    client: DynamoDBClient, transition: Transition, outbox: OutboxEvent | None, *others: Update
) -> SagaState | None:
    """Make one step, in a transaction with the `others`; return None when it was made.

    Otherwise return the state of the saga, which has moved on. Raises EventMismatchError when it
    has not and the step is refused: then the event is not the one stored. Raises OthersRefused
    when it is another update that is.
    """
    former: OutboxEvent | None = None
    while True:
        failed = _write(client, _update(transition, outbox, former), others)
        if failed is None:
            return None
        state = SagaState.from_item(failed.item, transition.expected, transition.consumed)
        if state.status != transition.expected:
            return state
        if former or state.outbox.digest:
            raise EventMismatchError("the step is refused, and nothing differs from what is stored")
        # A release without digests stored it. The event is the one stored: compare its text.
        former = state.outbox


def _write(
    client: DynamoDBClient, update: Update, others: Sequence[Update]
) -> ConditionFailed | None:
    if not others:
        return write(client, update)
    results = transact(client, [update, *others])
    if results and results[0] is None:
        raise OthersRefused
    return results[0] if results else None


def _update(
    transition: Transition, outbox: OutboxEvent | None, former: OutboxEvent | None
) -> Update:
    """Build the update: it also stores the event to publish, and appends to the history.

    It clears what the sweep noted of the step before, and reopens what the sweep gave up.
    """
    [identity] = transition.key.values()
    in_index = {} if transition.final else open_index_key(identity)
    sets = {"status": transition.status, **transition.adds, **in_index}
    if outbox is not None:
        stored = msgspec.structs.replace(outbox, digest="") if transition.final else outbox
        sets["outbox"] = msgspec.to_builtins(stored)
    assignments = ", ".join(f"#{name} = :{name}" for name in sets)
    removes = [*SWEEP_NOTES, *(["openShard"] if transition.final else [])]
    compared, value = ("digest", digest_of(transition.consumed))
    if former:
        compared, value = "detail", former.detail
    return Update(
        table=transition.table,
        key=transition.key,
        change=f"SET {assignments}, #history = list_append(#history, :step)"
        + f" REMOVE {', '.join(f'#{name}' for name in removes)}",
        condition=f"#status = :expected AND #outbox.#{compared} = :consumed",
        names={f"#{name}": name for name in (*sets, "outbox", compared, "history", *removes)},
        values={
            **{f":{name}": value for name, value in sets.items()},
            ":expected": transition.expected,
            ":consumed": value,
            ":step": [history_entry(transition.status, format_timestamp(transition.at))],
        },
    )

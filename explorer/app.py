"""What is explored: functions, and what they use, as their templates declare it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Index:
    """A secondary index of a table.

    projects: the attributes beside the keys; None for all of them.
    """

    partition: str
    sort: str | None = None
    projects: tuple[str, ...] | None = None
    local: bool = False


@dataclass(frozen=True)
class Table:
    """A table of DynamoDB: its name, its keys, its indexes by their names.

    types: of keys, those of indexes included, that are no strings: `N` or `B`, by the attribute.
    """

    name: str
    partition: str
    sort: str | None = None
    indexes: Mapping[str, Index] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Partner:
    """Something outside AWS that a handler calls: a payment provider, a carrier.

    act: the name of its method that does something; "" where the partner is a plain function.
    answers: given the arguments of `act` by their names, everything that it may answer; where there
        is an enquiry it is also called with those of `find`, so it should need the key alone.
    effect: whether an answer means that something was done; a refusal does nothing.
    find: the method that looks up what was done under a key: it returns that answer, or None.
    key: the idempotency key in the arguments; the default is the argument `idempotency_key`.
    """

    act: str
    answers: Callable[..., Sequence[Any]]
    effect: Callable[[Any], bool] = lambda _: True
    find: str | None = None
    key: Callable[[Mapping[str, Any]], object] = lambda arguments: arguments.get("idempotency_key")


@dataclass(frozen=True)
class Function:
    """A Lambda function.

    handler: module and attribute, as in Lambda's own setting: `app.handler`.
    path: the folders of its image that are on Python's path; modules in them are its own.
    environment: its variables.
    partners: by the name that the handler's module has for each.
    not_partners: names in the handler's module that look like a partner, and are none.
    retries: of an asynchronous invocation that failed.
    waits: how long before each of these, the last for all further ones; Lambda's are one minute and
        two. Without, no time passes: a state less for each try, and nothing that a try wrote has
        expired when the next begins.
    fresh_ids: whether a duplicate makes other ids than its original, as on AWS. A function that
        makes none, or the same for the same event, needs half the states without.
    timeout: in seconds; a handler that sleeps for longer is ended, as Lambda does it.
    batch: how many messages an event source of SQS delivers at once, at most.
    """

    name: str
    handler: str
    path: Sequence[Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    partners: Mapping[str, Partner] = field(default_factory=dict)
    not_partners: Sequence[str] = ()
    retries: int = 2
    waits: Sequence[timedelta] = ()
    fresh_ids: bool = True
    timeout: float = 20.0
    batch: int = 1


@dataclass(frozen=True)
class Rule:
    """A rule of EventBridge: what matches its pattern goes to its target.

    target: the name of a function, or of a queue.
    """

    pattern: Mapping[str, Any]
    target: str
    bus: str = "default"


@dataclass(frozen=True)
class Queue:
    """A queue of SQS, and the function whose event source it is; "" for a queue of another app.

    receives: how often a message is received before it goes to the dead-letter queue.
    """

    name: str
    function: str = ""
    receives: int = 3
    partial: bool = True  # its event source has ReportBatchItemFailures


@dataclass(frozen=True)
class App:
    """Functions, and the tables, rules and queues that they work with.

    fresh_ids: whether an event that is published again has another id than at first, as on AWS.
        Where no function looks at it, there are fewer states without.
    """

    functions: Sequence[Function]
    tables: Sequence[Table] = ()
    rules: Sequence[Rule] = ()
    queues: Sequence[Queue] = ()
    fresh_ids: bool = True


@dataclass(frozen=True)
class Trigger:
    """An invocation of a function by a schedule or by a person: its event.

    words: how a story tells it; "the schedule starts the sweep".
    """

    function: str
    event: Mapping[str, Any]
    words: str = ""


def send_again(request: Mapping[str, Any], response: Mapping[str, Any] | None) -> Any:
    """Return the same request for a response of 500 or more, and for none; else None."""
    return request if response is None or response.get("statusCode", 200) >= 500 else None


def is_success(request: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Return whether the response's status says so."""
    return int(response.get("statusCode", 200)) < 300


@dataclass(frozen=True)
class Request:
    """What a client sends to a function and waits for.

    accepted: given the same, whether that was a promise: the saga now ends by itself.
    following: given what was sent and the response (None for none: the function raised or crashed),
        what the client sends next, or None when it is content.
    tries: so many requests it sends in all.
    """

    function: str
    event: Mapping[str, Any]
    accepted: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = is_success
    following: Callable[[Mapping[str, Any], Mapping[str, Any] | None], Any] = send_again
    tries: int = 3


@dataclass(frozen=True)
class Scenario:
    """Some requests and events, the items that they meet, and the bounds of what may go wrong.

    events: envelopes that are on the bus at the beginning.

    may: how often each thing may happen: `explorer.faults.BUDGETS`, or a trigger by its name.
    items: by table, in plain values.
    forged: envelopes that somebody may publish who should not.
    clocks: how far the clock of a function is ahead.
    at_once: so many invocations run at the same time, at most.
    """

    name: str
    requests: Sequence[Request] = ()
    items: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    may: Mapping[str, int] = field(default_factory=dict)
    forged: Sequence[Mapping[str, Any]] = ()
    clocks: Mapping[str, timedelta] = field(default_factory=dict)
    at_once: int = 2
    events: Sequence[Mapping[str, Any]] = ()

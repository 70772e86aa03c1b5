"""What a handler asks of the world, and what it is answered: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PARTNER = "partner"


@dataclass(frozen=True)
class Call:
    """A call that a handler makes of something outside it.

    service: botocore's name (`dynamodb`, `events`, `sqs`), or `partner`.
    operation: botocore's name (`PutItem`); of a partner its name and method (`gateway.charge`).
    parameters: as botocore accepts them; of a partner the arguments by their names.
    where: the innermost line of the function's own code, `services/charge_payment/orders.py:31`.
    key: of a partner's act or enquiry its idempotency key, None for none.
    answers: of a partner's act, all that it may answer, each as text.
    effects: for each of these, whether it means that something was done.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(hash=False)
    where: str = field(default="", compare=False)
    key: str | None = None
    answers: tuple[str, ...] = ()
    effects: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An error that a call raises.

    kind: `aws` for a response with an error code (botocore's ClientError, by the code's own class),
        `timeout` for no response in time, `unreachable` for no connection.
    response: what the response of AWS has beside the code and the message.
    """

    kind: str
    code: str = ""
    message: str = ""
    response: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Answer:
    """The result of a call: its output, or the failure that is raised instead.

    Of a partner the output is the place of one of the call's `answers`, or None for none: to an
    enquiry about something that was never done.
    """

    output: Any = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Ended:
    """The end of a run: what the handler returned, or the error that it raised; what it printed."""

    result: Any = None
    error: str = ""
    printed: Sequence[str] = ()


class BreachError(Exception):
    """A handler did what no exploration can follow, such as starting a thread; the message says.

    A handler may depend on its event, on answers, on the clock and on ids, and on nothing else.
    """


class UnknownCallError(Exception):
    """A handler asked for what the world does not know; the message names it."""

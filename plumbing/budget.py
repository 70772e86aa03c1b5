"""The time that an invocation has: what does not fit into it is not begun.

Lambda kills a function at its time-out: no error is raised, nothing is logged, and who waits gets
no response. So a call that could last longer than the invocation is an error instead.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError

Result = TypeVar("Result")

# One attempt of a call: to connect, and to wait for the response.
CONNECT_SECONDS, READ_SECONDS = 1.0, 2.0
# For what is beside calls: to begin, to make a TLS connection, to log and to respond.
MARGIN_SECONDS = 1.0

# Of the invocation that runs now; there is no end outside of one.
_seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left")


class OutOfTimeError(BotoCoreError):
    """A call was not made, or not once more, because the invocation could end before it does."""

    fmt = "{operation} is not tried: it does not fit into the {seconds:.1f} s of this invocation"


def within_time(
    seconds: float = math.inf,
) -> Callable[[Callable[[Any, Any], Result]], Callable[[Any, Any], Result]]:
    """Let a handler make no call that does not fit into its invocation, or into so many seconds.

    A call of the handler without a context, as in a test, has no end.
    """

    def decorate(handle: Callable[[Any, Any], Result]) -> Callable[[Any, Any], Result]:
        @functools.wraps(handle)
        def handle_within_time(event: Any, context: Any) -> Result:
            if context is None:
                return handle(event, context)
            end = time.monotonic() + seconds

            def left() -> float:
                remaining: float = context.get_remaining_time_in_millis() / 1000
                return min(remaining, end - time.monotonic())

            token = _seconds_left.set(left)
            try:
                return handle(event, context)
            finally:
                _seconds_left.reset(token)

        return handle_within_time

    return decorate


def time_left() -> float:
    """Return the seconds that this invocation has for calls, to itself or to a partner."""
    left = _seconds_left.get(None)
    return left() - MARGIN_SECONDS if left else math.inf


def has_time(pause: float = 0, attempts: int = 1) -> bool:
    """Return whether so many attempts of a call fit in, after a pause of so many seconds."""
    return time_left() >= pause + attempts * (CONNECT_SECONDS + READ_SECONDS)


def check_attempt(**event: Any) -> None:
    """Raise OutOfTimeError unless an attempt fits in; botocore calls it before each.

    botocore tries again after errors of connections and of HTTP only, and this is neither.
    """
    if not has_time():
        operation = event["event_name"].rpartition(".")[2]
        raise OutOfTimeError(operation=operation, seconds=time_left() + MARGIN_SECONDS)


def check_retry(**event: Any) -> bool | None:
    """Return False, which botocore takes for no retry, unless its pause and an attempt fit in.

    It pauses for up to 1, 2, 4 s when AWS throttles it, and up to 5 s more when AWS asks for that.
    After an error of the connection it is a tenth of a second.
    """
    if event["response"] is None:
        return None
    http_response, _ = event["response"]
    asked_for = 5 if "x-amz-retry-after" in http_response.headers else 0
    return None if has_time(2 ** (event["attempts"] - 1) + asked_for) else False

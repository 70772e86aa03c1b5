"""What a person sees in the terminal: progress, orders, traces and failures.

Nothing else here writes to it, because what comes from outside is no text to be trusted: in a
terminal, a SKU could be markup, and a line of a log could be a command to the terminal itself.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import locale
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from harness.errors import UserError
from harness.failures import Message
from harness.saga import FAILED, FINAL
from harness.trace import Step, Trace, Waiting
from plumbing.untrusted import printable


class _Console(Console):
    goes_on_unread = False

    def on_broken_pipe(self) -> None:
        raise  # what rich handles while it calls this: it would end the program with 1


_console = _Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
_drawn = ""


def run(command: Callable[[], int]) -> int:
    """Run a command that prints by this module; return its exit code.

    That is 1, with one sentence, for a UserError, and 0 when the reader of the output has gone from
    a command that only prints.
    """
    _write_what_can_be_shown()
    try:
        code = _code(command)
        with _writing():
            if sys.stdout is not None:
                sys.stdout.flush()
    except UserError as error:
        complain(error)
        return 1
    except BrokenPipeError:  # of `| head`
        return 0
    return code


def _code(command: Callable[[], int]) -> int:
    try:
        return command()
    except SystemExit as ended:  # argparse's, after a help or a wrong call
        _flush_problems()
        return int(ended.code or 0)


def go_on_unread(goes_on: bool) -> None:
    """Let what follows be done to its end, or not, when nobody reads the output any more."""
    _console.goes_on_unread = goes_on


def say(*parts: str | tuple[str, str], end: str = "\n") -> None:
    """Print a line of texts and of (text, style); what cannot be printed in it is escaped."""
    draw("")
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    line = Text.assemble(*((printable(text, None), style) for text, style in pairs))
    with _writing():
        _console.print(line, end=end)


def say_json(value: object, indent: int | None = None) -> None:
    """Print a value as JSON, in ASCII."""
    draw("")
    text = json.dumps(msgspec.to_builtins(value), indent=indent)
    with _writing():
        # Of what no terminal should get, JSON leaves only this as it is.
        _console.print(text.replace("\x7f", "\\u007f"))


def draw(text: str) -> None:
    """Show a line in place of the last one drawn, until anything is printed; "" for none.

    Where nobody watches nothing is shown.
    """
    global _drawn
    if text == _drawn or not (sys.stdout and sys.stdout.isatty()) or _console.is_dumb_terminal:
        return
    _drawn = text
    erased = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
    with _writing():
        _console.control(erased)
        _console.print(Text(printable(text, max(1, _console.width - 2))), end="")


def complain(problem: object) -> None:
    """Print a problem as one line to the standard error, and not into a line that was begun."""
    draw("")
    begun = "\n" if _console.is_terminal else ""
    with contextlib.suppress(OSError):
        print(f"{begun}saga: {printable(str(problem), None)}", file=sys.stderr)
    _flush_problems()


def _flush_problems() -> None:
    """Write what was complained of; where that cannot be, the exit code alone tells of it."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _write_what_can_be_shown() -> None:
    """Let the terminal's own encoding be that of the output, with escapes for what it lacks.

    Files are UTF-8 in any locale: `saga` runs Python in that mode.
    """
    own = codecs.lookup(locale.getencoding()).name
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not closed, and not a test's
            # C and POSIX name no encoding: their terminals read UTF-8.
            encoding = "utf-8" if own == "ascii" else own
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Raise BrokenPipeError when nobody reads the output, and UserError when it cannot be written.

    Then nothing more is written, not what Python still has at its end either.
    """
    try:
        yield
    except OSError as error:
        _discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            if _console.goes_on_unread:
                return
            raise
        raise UserError(f"The output cannot be written ({error.strerror}).") from error


def _discard(stream: TextIO) -> None:
    """Let what is still to be written there, which Python does at its end, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Progress:
    """Prints what is being done, and how long it took."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, doing: str) -> None:
        """Begin the next thing."""
        self.done()
        say(f"{doing} ...", end="")
        self._since = time.monotonic()

    def done(self) -> None:
        """End the last thing."""
        if self._since is not None:
            say((f" {time.monotonic() - self._since:.1f} s", "dim"))
        self._since = None


class OrderProgress:
    """One order's statuses, drawn one after the other on one line."""

    def __init__(self, label: str) -> None:
        self._drawn: list[dict[str, str]] = []
        say(f"{label:<14}", end="")

    def draw(self, record: dict[str, Any]) -> None:
        """Add the steps that are new in the record."""
        for step in record["history"][len(self._drawn) :]:
            if self._drawn:
                waited = milliseconds(self._drawn[-1], step)
                say((f" {_arrow(f'{waited:.0f} ms')} ", "dim"), end="")
            say((step["status"], colour(step["status"])), end="")
            self._drawn.append(step)

    def end(self) -> None:
        """End the line."""
        say()


class OrderSummary:
    """Counts how orders ended, and how long they took."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()
        self._took: dict[str, list[float]] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Add an order's final record."""
        first, last = record["history"][0], record["history"][-1]
        self._ended[record["status"]] += 1
        self._took.setdefault(record["status"], []).append(milliseconds(first, last))

    def show(self) -> None:
        """Print a line for each final status."""
        for status, count in self._ended.most_common():
            median = statistics.median(self._took[status])
            say(f"{count} {status}, median {median:.0f} ms")


class TraceView:
    """One order's trace: a line for each step, what it waits for, and what was compensated."""

    def __init__(self) -> None:
        self._steps = 0

    def draw(self, trace: Trace) -> None:
        """Add the steps that are new in the trace."""
        if not self._steps:
            say(f"order {trace.order_id}, trace {trace.trace_id}, times in UTC")
        for step in trace.steps[self._steps :]:
            say(*_step(step))
        self._steps = len(trace.steps)

    def end(self, trace: Trace) -> None:
        """Print what it waits for, and what was compensated."""
        if trace.compensated:
            say(f"compensated: {trace.compensated} ({trace.because})")
        if trace.waits_for:
            say(f"waits for {_waiting(trace.waits_for)}")


def colour(status: str) -> str:
    """Return the colour of a status."""
    if status in FAILED:
        return "yellow"
    return "green" if status in FINAL else "default"


def show_record(record: dict[str, Any]) -> None:
    """Print an order's record as one line of JSON, without its history."""
    say_json({name: value for name, value in record.items() if name != "history"})


def open_order_line(trace: Trace, now: datetime) -> str:
    """Return a line about an order in progress."""
    waits = _waiting(trace.waits_for) if trace.waits_for else "nothing"
    age = _age(now - trace.steps[0].at)
    return f"{age:>6}  {trace.order_id}  {trace.status:<19} waits for {waits}"


def failure_name(message: Message) -> str:
    """Return the service, event and order of a failure, in columns."""
    failure = message.failure
    return f"{message.service:<18} {failure.event or '?':<18} {failure.order_id or '?':<36}"


def failure_line(message: Message, now: datetime) -> str:
    """Return a line about a failure."""
    failure, age = message.failure, _age(now - message.since)
    return f"{failure_name(message)}  {failure.kind:<9}  {age:>6}  {failure.reason}"


def failure_json(message: Message) -> dict[str, str | None]:
    """Return a failure as an object of JSON."""
    failure = message.failure
    return {
        "service": message.service,
        "event": failure.event,
        "orderId": failure.order_id,
        "kind": failure.kind,
        "reason": failure.reason,
        "since": message.since.astimezone(UTC).isoformat(timespec="seconds"),
        "messageId": message.message_id,
    }


def milliseconds(earlier: dict[str, str], later: dict[str, str]) -> float:
    """Return the time between two steps of an order."""
    between = datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])
    return between.total_seconds() * 1000


def _step(step: Step) -> list[str | tuple[str, str]]:
    waited = "" if step.waited_milliseconds is None else f"+{step.waited_milliseconds} ms"
    consumed = f"consumed {step.consumed}" if step.consumed else ""
    published = f"published {step.published}" if step.published else "ends here"
    at = step.at.astimezone(UTC)
    return [
        f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {waited:>10}  {step.service:<18} ",
        (f"{step.status:<19}", colour(step.status)),
        f" {', '.join(part for part in (consumed, published) if part)}",
    ]


def _arrow(label: str) -> str:
    """Draw an arrow with a label, in characters that the terminal has."""
    arrow = f"─{label}→"
    try:
        arrow.encode(_console.encoding)
    except UnicodeEncodeError:
        return f"-{label}->"
    return arrow


def _waiting(waits: Waiting) -> str:
    """Return what an order waits for, in words."""
    if waits.gave_up:
        then = "the sweep GAVE UP: see docs/runbook.md"
    elif waits.next_attempt_at:
        then = f"the sweep looks again at {waits.next_attempt_at:%H:%M:%S} UTC"
    else:
        then = "not resumed so far"
    late = "OVERDUE: " if waits.overdue else ""
    return (
        f"{waits.service} to consume {waits.event}, attempt {waits.attempt}, "
        f"since {waits.seconds:.1f} s: {late}{then}"
    )


def _age(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

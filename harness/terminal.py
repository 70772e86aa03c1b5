"""What a person sees in the terminal: progress, orders, traces and failures."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.failures import Message
from harness.saga import FAILED, FINAL
from harness.trace import Step, Trace, Waiting

console = Console(soft_wrap=True, highlight=False)


class Progress:
    """Prints what is being done, and how long it took."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, doing: str) -> None:
        """Begin the next thing."""
        self.done()
        console.print(f"{doing} ...", end="")
        self._since = time.monotonic()

    def done(self) -> None:
        """End the last thing."""
        if self._since is not None:
            console.print(f" [dim]{time.monotonic() - self._since:.1f} s[/dim]")
        self._since = None


class OrderProgress:
    """One order's statuses, drawn one after the other on one line."""

    def __init__(self, label: str) -> None:
        self._drawn: list[dict[str, str]] = []
        console.print(Text(f"{label:<14}"), end="")

    def draw(self, record: dict[str, Any]) -> None:
        """Add the steps that are new in the record."""
        for step in record["history"][len(self._drawn) :]:
            if self._drawn:
                waited = milliseconds(self._drawn[-1], step)
                console.print(f" [dim]─{waited:.0f} ms→[/dim] ", end="")
            console.print(Text(step["status"], colour(step["status"])), end="")
            self._drawn.append(step)

    def end(self) -> None:
        """End the line."""
        console.print()


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
            console.print(f"{count} {status}, median {median:.0f} ms")


class TraceView:
    """One order's trace: a line for each step, what it waits for, and what was compensated."""

    def __init__(self) -> None:
        self._steps = 0

    def draw(self, trace: Trace) -> None:
        """Add the steps that are new in the trace."""
        if not self._steps:
            console.print(Text(f"order {trace.order_id}, trace {trace.trace_id}"))
        for step in trace.steps[self._steps :]:
            console.print(_step(step))
        self._steps = len(trace.steps)

    def end(self, trace: Trace) -> None:
        """Print what it waits for, and what was compensated."""
        if trace.compensated:
            console.print(Text(f"compensated: {trace.compensated} ({trace.because})"))
        if trace.waits_for:
            console.print(Text(f"waits for {_waiting(trace.waits_for)}"))


def colour(status: str) -> str:
    """Return the colour of a status."""
    if status in FAILED:
        return "yellow"
    return "green" if status in FINAL else "default"


def show_record(record: dict[str, Any]) -> None:
    """Print an order's record as one line of JSON, without its history."""
    plain = {name: value for name, value in record.items() if name != "history"}
    console.print(Text(json.dumps(plain)))


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


def failure_json(message: Message) -> str:
    """Return a failure as one line of JSON."""
    failure = message.failure
    return json.dumps(
        {
            "service": message.service,
            "event": failure.event,
            "orderId": failure.order_id,
            "kind": failure.kind,
            "reason": failure.reason,
            "since": message.since.astimezone(UTC).isoformat(timespec="seconds"),
            "messageId": message.message_id,
        }
    )


def milliseconds(earlier: dict[str, str], later: dict[str, str]) -> float:
    """Return the time between two steps of an order."""
    between = datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])
    return between.total_seconds() * 1000


def _step(step: Step) -> Text:
    waited = "" if step.waited_milliseconds is None else f"+{step.waited_milliseconds} ms"
    consumed = f"consumed {step.consumed}" if step.consumed else ""
    published = f"published {step.published}" if step.published else "ends here"
    line = Text(f"{step.at:%H:%M:%S}.{step.at.microsecond // 1000:03} {waited:>10}  ")
    line.append(f"{step.service:<18} ")
    line.append(f"{step.status:<19}", colour(step.status))
    return line.append(f" {', '.join(part for part in (consumed, published) if part)}")


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

"""What a person sees: progress, and orders moving along their way."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.trace import Step, Trace, Waiting

COLOURS = {"SHIPPING_SCHEDULED": "green", "INVENTORY_FAILED": "yellow"}
COLOURS |= {"PAYMENT_FAILED": "yellow", "INVENTORY_RELEASED": "yellow"}

console = Console(soft_wrap=True, highlight=False)


class Progress:
    """Says what is being done, and how long it took."""

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


class Way:
    """One order's way, drawn step by step on one line."""

    def __init__(self, label: str) -> None:
        self._drawn: list[dict[str, str]] = []
        console.print(Text(f"{label:<14}"), end="")

    def draw(self, record: dict[str, Any]) -> None:
        """Add the steps that are new in the record."""
        for step in record["history"][len(self._drawn) :]:
            if self._drawn:
                waited = milliseconds(self._drawn[-1], step)
                console.print(f" [dim]─{waited:.0f} ms→[/dim] ", end="")
            console.print(Text(step["status"], COLOURS.get(step["status"], "default")), end="")
            self._drawn.append(step)

    def end(self) -> None:
        """End the line."""
        console.print()


class Tracing:
    """One order's way along the map, a line for each step, and what it waits for."""

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
        """Say what it waits for, and what was compensated."""
        if trace.compensated:
            console.print(Text(f"compensated: {trace.compensated} was undone ({trace.because})"))
        if trace.waits_for:
            console.print(Text(f"waits for {waiting(trace.waits_for)}"))


def _step(step: Step) -> Text:
    waited = "" if step.waited_milliseconds is None else f"+{step.waited_milliseconds} ms"
    heard = f"on {step.heard}" if step.heard else ""
    said = f"says {step.said}" if step.said else "ends here"
    line = Text(f"{step.at:%H:%M:%S}.{step.at.microsecond // 1000:03} {waited:>10}  ")
    line.append(f"{step.service:<18} ")
    line.append(f"{step.status:<19}", COLOURS.get(step.status, "default"))
    return line.append(f" {', '.join(part for part in (heard, said) if part)}")


def waiting(waits: Waiting) -> str:
    """Put what an order waits for into words."""
    if waits.gave_up:
        then = "the sweep GAVE IT UP: docs/runbook.md says what to do"
    elif waits.due:
        then = f"the sweep looks again at {waits.due:%H:%M:%S} UTC"
    else:
        then = "not said again so far"
    late = "OVERDUE: " if waits.overdue else ""
    return (
        f"{waits.service} to take {waits.event}, attempt {waits.attempt}, "
        f"since {waits.seconds:.1f} s: {late}{then}"
    )


def milliseconds(earlier: dict[str, str], later: dict[str, str]) -> float:
    """Answer the time between two steps of an order."""
    between = datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])
    return between.total_seconds() * 1000


def show(record: dict[str, Any]) -> None:
    """Print an order's record as one line of JSON, without its history."""
    plain = {name: value for name, value in record.items() if name != "history"}
    console.print(Text(json.dumps(plain)))

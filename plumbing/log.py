"""Log one JSON line per outcome, and measure by it."""

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from plumbing.trace import Traced, trace_id

_lines = 0


class Outcome(Protocol):
    """What came of a step: the status it led to, and whether this very call made it."""

    @property
    def status(self) -> str:
        """Where what the step is made of stands now."""

    @property
    def recorded(self) -> bool:
        """True if this call stored the step, False if it stood there already."""


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line with a constant `message` and its fields, and flush it.

    Flushed at once because Lambda freezes the process as soon as the handler has answered. The
    first line of a process says that it is: its call paid for the start.
    """
    global _lines
    line = {"level": level, "message": message, "coldStart": not _lines} | fields
    _lines += 1
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


class StepLog:
    """Tells of each step that a function makes, in a line that is its metrics too."""

    def __init__(self, namespace: str, function: str) -> None:
        self._namespace, self._function = namespace, function

    def __call__(
        self, message: str, traced: Traced, outcome: Outcome, begun: float, **fields: Any
    ) -> None:
        """Log what came of a step that `begun` then, by `time.perf_counter`.

        Only the call that recorded a step counts it, so that a repetition does not count twice.
        """
        age = datetime.now(UTC) - datetime.fromisoformat(traced.created_at)
        by = {"function": self._function, "status": outcome.status}
        numbers = {
            "stepMilliseconds": round(1000 * (time.perf_counter() - begun), 1),
            "ageMilliseconds": round(1000 * age.total_seconds()),
        }
        measured = by | numbers
        if outcome.recorded:
            measured = embedded_metrics(self._namespace, by, numbers)
        how = "recorded" if outcome.recorded else "repeated"
        log("INFO", message, traceId=trace_id(traced), **fields, outcome=how, **measured)


def embedded_metrics(
    namespace: str, dimensions: Mapping[str, str], numbers: Mapping[str, float]
) -> dict[str, Any]:
    """Build the fields of a log line that make metrics of its numbers, at no call's cost.

    Source: "Embedded metric format specification", Amazon CloudWatch user guide.
    """
    metrics = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name} for name in numbers],
    }
    now = int(time.time() * 1000)
    return {"_aws": {"Timestamp": now, "CloudWatchMetrics": [metrics]}, **dimensions, **numbers}

"""Log one JSON line per outcome; the line is the metric too."""

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from plumbing.participant import Participant
from plumbing.trace import TracedEvent, trace_id

_lines = 0


class StepResult(Protocol):
    """The result of a step: the status of the saga, and whether this very call made the step."""

    @property
    def status(self) -> str:
        """The status of the saga now."""

    @property
    def applied(self) -> bool:
        """True if this call stored the step, False if it was stored before."""


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line with a constant `message` and its fields, and flush it.

    Flushed at once because Lambda freezes the process as soon as the handler has returned. The
    first line of a process is marked as its cold start.
    """
    global _lines
    line = {"level": level, "message": message, "coldStart": not _lines} | fields
    _lines += 1
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


class StepLog:
    """Logs each step that a function makes, in a line that carries its metrics."""

    def __init__(self, namespace: str, function: str, participant: Participant) -> None:
        self._namespace, self._function = namespace, function
        consumes = participant.consumes
        self._consumed = {"consumed": consumes.__name__} if consumes else {}
        self._published = {
            step.to: step.publishes.__name__ for step in participant.steps if step.publishes
        }
        self._reached = {step.to for step in participant.steps}

    def __call__(
        self, message: str, event: TracedEvent, result: StepResult, begun: float, **fields: Any
    ) -> None:
        """Log the result of a step that `begun` then, by `time.perf_counter`.

        `outcome` is `applied` if this call made the step, `duplicate` if it was made before and is
        still the last one, `stale` if the saga has moved on since. Only an applied step is counted
        by the metrics, so that a duplicate does not count twice.
        """
        status = result.status
        age = datetime.now(UTC) - datetime.fromisoformat(event.created_at)
        dimensions = {"function": self._function, "status": status}
        numbers = {
            "stepMilliseconds": round(1000 * (time.perf_counter() - begun), 1),
            "ageMilliseconds": round(1000 * age.total_seconds()),
        }
        measured = dimensions | numbers
        outcome = "duplicate" if status in self._reached else "stale"
        if result.applied:
            outcome = "applied"
            measured = embedded_metrics(self._namespace, dimensions, numbers)
        published = {"published": self._published[status]} if status in self._published else {}
        fields |= self._consumed | published
        log("INFO", message, traceId=trace_id(event), **fields, outcome=outcome, **measured)


class ErrorLog:
    """Logs errors of one kind, each in a line that counts it by a metric of this name."""

    def __init__(self, namespace: str, name: str, dimensions: Mapping[str, str]) -> None:
        self._namespace, self._name, self._dimensions = namespace, name, dimensions

    def __call__(self, message: str, error: Exception, **fields: Any) -> None:
        """Log an error that was handled, and why it was raised."""
        measured = embedded_metrics(self._namespace, self._dimensions, {self._name: 1})
        log("ERROR", message, reason=f"{type(error).__name__}: {error}", **fields, **measured)


def embedded_metrics(
    namespace: str, dimensions: Mapping[str, str], numbers: Mapping[str, float]
) -> dict[str, Any]:
    """Build the fields that make a log line a metric, without a call to CloudWatch.

    Source: "Embedded metric format specification", Amazon CloudWatch user guide.
    """
    metrics = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name} for name in numbers],
    }
    now = int(time.time() * 1000)
    return {"_aws": {"Timestamp": now, "CloudWatchMetrics": [metrics]}, **dimensions, **numbers}

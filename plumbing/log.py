"""Log one JSON line per outcome."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line with a constant `message` and its fields, and flush it.

    Flushed at once because Lambda freezes the process as soon as the handler has answered.
    """
    line = {"level": level, "message": message} | fields
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


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

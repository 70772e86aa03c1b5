"""What the functions logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.connect import session
from harness.names import PREFIX, stack_name

# How functions that start refuse the empty event by which the harness asks whether they do.
REFUSALS = ("KeyError: 'requestContext'", "EnvelopeError: envelope: Object missing required field")
# The lines that the platform writes around every call.
NOISE = ("START RequestId", "END RequestId", "REPORT RequestId")


def lines(
    endpoint: str, services: Iterable[str], prefix: str = PREFIX
) -> Iterator[tuple[str, str]]:
    """Yield service and line, oldest first."""
    client = session().client("logs", endpoint_url=endpoint)
    found = []
    for service in services:
        group = f"/saga/{stack_name(service, prefix)}"
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
            found += [(event["timestamp"], service, event["message"]) for event in page["events"]]
    for _, service, message in sorted(found, key=lambda line: line[0]):
        if not message.startswith(NOISE):
            for line in message.rstrip().splitlines():
                yield service, line


def errors(
    endpoint: str, services: Iterable[str], prefix: str = PREFIX, limit: int = 5
) -> list[str]:
    """Return the last errors that the functions logged, each with its service."""
    logged = lines(endpoint, services, prefix)
    return [f"{service} logged {line}" for service, line in logged if _is_error(line)][-limit:]


def _is_error(line: str) -> bool:
    if line.startswith(tuple(f"[ERROR] {refusal}" for refusal in REFUSALS)):
        return False
    # As the runtime client writes an exception, and as the services log one.
    return "[ERROR]" in line or '"level":"ERROR"' in line

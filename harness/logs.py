"""What the functions logged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any

from harness.connect import session
from harness.errors import UserError
from harness.names import PREFIX, stack_name

# How functions that start refuse the empty event by which the harness asks whether they do.
REFUSALS = ("KeyError: 'requestContext'", "EnvelopeError: envelope: Object missing required field")
# The lines that the platform writes around every call.
NOISE = ("START RequestId", "END RequestId", "REPORT RequestId")
# What the functions' stacks call their log groups, and what LocalStack does whatever these say.
GROUP, LOCALSTACK_GROUP = "/saga/", "/aws/lambda/"


class LogMissing(UserError):
    """A service has no log here."""


def lines(
    endpoint: str, services: Iterable[str], prefix: str = PREFIX
) -> Iterator[tuple[str, str]]:
    """Yield service and line, oldest first."""
    client = session().client("logs", endpoint_url=endpoint)
    return lines_since(client, services, prefix)


def lines_since(
    client: Any,
    services: Iterable[str],
    prefix: str,
    since: datetime | None = None,
    *,
    on_aws: bool = False,
) -> Iterator[tuple[str, str]]:
    """Yield service and line, oldest first, of all the log has or since then.

    A page is read when it is needed. Raises LogMissing, after the lines of the others, when a
    service has no log.
    """
    missing: list[str] = []
    logged = [
        _logged(client, service, f"{group}{stack_name(service, prefix)}", since, missing)
        for service in services
        for group in ((GROUP,) if on_aws else (GROUP, LOCALSTACK_GROUP))
    ]
    for _, service, message in heapq.merge(*logged, key=itemgetter(0)):
        if not message.startswith(NOISE):
            for line in message.rstrip().splitlines():
                yield service, line
    if missing:
        raise LogMissing(
            f"There is no log group {', '.join(missing)}: deploy first, or choose the prefix, the "
            "account and the region of the deployment."
        )


def _logged(
    client: Any, service: str, group: str, since: datetime | None, missing: list[str]
) -> Iterator[tuple[int, str, str]]:
    """Yield the time, the service and the text of what it logged, as its pages have them.

    These are sorted by time. Source: "FilterLogEvents", Amazon CloudWatch Logs API reference.
    """
    begin = {"startTime": round(since.timestamp() * 1000)} if since else {}
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, **begin)
    try:
        for page in pages:
            for event in page["events"]:
                yield event["timestamp"], service, event["message"]
    except client.exceptions.ResourceNotFoundException:
        if group.startswith(GROUP):
            missing.append(group)


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

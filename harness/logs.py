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
# So many events a page of a log has at most.
MAX_PAGE = 10_000


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
    """Yield the time, the service and the text of what it logged, oldest first."""
    try:
        for event in events(client, group, since):
            yield event["timestamp"], service, event["message"]
    except client.exceptions.ResourceNotFoundException:
        if group.startswith(GROUP):
            missing.append(group)


def events(
    client: Any, group: str, since: datetime | None = None, pattern: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield what a log group has, or has since then, oldest first; a page is read when needed.

    With a `pattern` only what it matches. Source: "FilterLogEvents", Amazon CloudWatch Logs API
    reference. MiniStack ends after a page of the most that a page may have, with no token for the
    next one: so that is asked for from the last event's time on.
    """
    asked: dict[str, Any] = {"startTime": round(since.timestamp() * 1000)} if since else {}
    if pattern:
        asked["filterPattern"] = pattern
    seen = 0  # events of the page that were in the one before: those of its last millisecond
    while True:
        page: dict[str, Any] = client.filter_log_events(logGroupName=group, **asked)
        found = page["events"]
        yield from found[seen:]
        if token := page.get("nextToken"):
            asked["nextToken"], seen = token, 0
        elif len(found) < MAX_PAGE or len(found) == seen:
            return
        else:
            asked.pop("nextToken", None)
            asked["startTime"] = found[-1]["timestamp"]
            seen = sum(event["timestamp"] == asked["startTime"] for event in found)


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

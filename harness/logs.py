"""What the functions logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.deploy import session, stack_name

# What the platform writes around every call says nothing of the call.
NOISE = ("START RequestId", "END RequestId", "REPORT RequestId")


def lines(endpoint: str, services: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield service and line, oldest first."""
    client = session().client("logs", endpoint_url=endpoint)
    found = []
    for service in services:
        group = f"/saga/{stack_name(service)}"
        for page in client.get_paginator("filter_log_events").paginate(logGroupName=group):
            found += [(event["timestamp"], service, event["message"]) for event in page["events"]]
    for _, service, message in sorted(found, key=lambda line: line[0]):
        if not message.startswith(NOISE):
            yield service, message.rstrip()

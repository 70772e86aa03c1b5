"""The bus of a running environment, in the hands of someone who may say anything on it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness import bus
from harness.deploy import PREFIX, session, stack_name
from plumbing.publish import Entry

ACCOUNT = "000000000000"


class Bus:
    """Says events, listens in, and stops services from hearing."""

    def __init__(self, endpoint: str) -> None:
        self._bus = bus.Bus(endpoint)
        self._events = session().client("events", endpoint_url=endpoint)

    def say(self, event: dict[str, Any]) -> None:
        """Say an event, given as it is delivered."""
        self._bus.say(Entry(event["source"], event["detail-type"], json.dumps(event["detail"])))

    def would_hear(self, service: str, event: dict[str, Any]) -> bool:
        """Tell whether the service's rule matches an event."""
        rule = self._events.describe_rule(Name=stack_name(service), EventBusName=PREFIX)
        answer = self._events.test_event_pattern(
            EventPattern=rule["EventPattern"], Event=json.dumps(event)
        )
        return answer["Result"]

    @contextmanager
    def deaf(self, *services: str) -> Iterator[None]:
        """Let these services hear nothing: what is said to them meanwhile is lost."""
        try:
            for service in services:
                self._bus.hears(service, hears=False)
            yield
        finally:
            for service in services:
                self._bus.hears(service, hears=True)

    @contextmanager
    def tapped(self) -> Iterator["Tap"]:
        """Collect everything that is said on the bus meanwhile."""
        with self._bus.tapped() as tap:
            yield Tap(tap)


class Tap:
    """The events said on the bus since it was tapped."""

    def __init__(self, tap: bus.Tap) -> None:
        self._tap = tap
        self._heard: list[dict[str, Any]] = []

    def heard(self) -> list[dict[str, Any]]:
        """Answer them all, as they were delivered."""
        while crossings := self._tap.receive():
            self._heard += [json.loads(crossing.body) for crossing in crossings]
        return list(self._heard)

    def of(self, order_id: str, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Answer what was said of an order; of one type, or of any."""
        return [
            event
            for event in self.heard()
            if event["detail"].get("orderId") == order_id
            and detail_type in (None, event["detail-type"])
        ]

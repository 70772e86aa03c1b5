"""The bus of a running environment, used by someone who may publish anything on it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness import bus
from harness.connect import session
from harness.names import PREFIX, stack_name
from plumbing.outbox import OutboxEvent

ACCOUNT = "000000000000"


class Bus:
    """Publishes events, taps the bus, and pauses services."""

    def __init__(self, endpoint: str) -> None:
        self._bus = bus.Bus(endpoint)
        self._events = session().client("events", endpoint_url=endpoint)

    def publish(self, event: dict[str, Any]) -> None:
        """Publish an event, given as it is delivered."""
        self._bus.publish(
            OutboxEvent(event["source"], event["detail-type"], json.dumps(event["detail"]))
        )

    def would_consume(self, service: str, event: dict[str, Any]) -> bool:
        """Return whether the service's rule matches an event."""
        rule = self._events.describe_rule(Name=stack_name(service), EventBusName=PREFIX)
        response = self._events.test_event_pattern(
            EventPattern=rule["EventPattern"], Event=json.dumps(event)
        )
        return response["Result"]

    @contextmanager
    def paused(self, *services: str) -> Iterator[None]:
        """Disable the rules of these services: their events are lost meanwhile."""
        try:
            for service in services:
                self._bus.set_consuming(service, on=False)
            yield
        finally:
            for service in services:
                self._bus.set_consuming(service, on=True)

    @contextmanager
    def tapped(self) -> Iterator["Tap"]:
        """Collect everything that is published meanwhile."""
        with self._bus.tapped() as tap:
            yield Tap(tap)


class Tap:
    """The events published since the bus was tapped."""

    def __init__(self, tap: bus.Tap) -> None:
        self._tap = tap
        self._events: list[dict[str, Any]] = []

    def events(self) -> list[dict[str, Any]]:
        """Return them all, as they were delivered."""
        while received := self._tap.receive():
            self._events += [json.loads(observed.body) for observed in received]
        return list(self._events)

    def of(self, order_id: str, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Return an order's events; of one type, or of any."""
        return [
            event
            for event in self.events()
            if event["detail"].get("orderId") == order_id
            and detail_type in (None, event["detail-type"])
        ]

"""The bus of a running environment: publish to it, tap it, and switch consumers off and on."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness.connect import session
from harness.names import PREFIX, stack_name
from plumbing.publish import publisher

BATCH = 10  # the most messages of one SQS call

_numbers = itertools.count(1)


class ObservedEvent(msgspec.Struct, frozen=True):
    """An event as the tap received it, and when: milliseconds since 1970."""

    at: int
    body: str


class Bus:
    """The saga's bus at an endpoint."""

    def __init__(self, endpoint: str, config: Config | None = None, prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._events = session().client("events", endpoint_url=endpoint, config=config)
        self._sqs = session().client("sqs", endpoint_url=endpoint, config=config)
        self.publish = publisher(self._events, prefix)

    def set_consuming(self, service: str, *, on: bool) -> None:
        """Enable or disable a service's rule; its events are lost while it is disabled."""
        switch = self._events.enable_rule if on else self._events.disable_rule
        switch(Name=stack_name(service, self._prefix), EventBusName=self._prefix)

    def consuming(self) -> frozenset[str]:
        """Return the names of the rules that are enabled."""
        pages = self._events.get_paginator("list_rules").paginate(EventBusName=self._prefix)
        rules = [rule for page in pages for rule in page["Rules"]]
        return frozenset(rule["Name"] for rule in rules if rule["State"] == "ENABLED")

    def tap(self) -> Tap:
        """Receive every event that is published from now on, until the tap is removed.

        The tap's name contains the process id, so that two taps never share one, and so that this
        can remove what a killed process left behind.
        """
        self._remove_orphans()
        name = f"{self._taps}{os.getpid()}-{next(_numbers)}"
        return Tap(self._events, self._sqs, self._prefix, name)

    @contextmanager
    def tapped(self) -> Iterator[Tap]:
        """Receive every event that is published meanwhile."""
        tap = self.tap()
        try:
            yield tap
        finally:
            tap.remove()

    @property
    def _taps(self) -> str:
        return f"{self._prefix}-tap-"

    def _remove_orphans(self) -> None:
        # A rule or a queue may exist alone: a process can be killed at any time.
        rules = self._events.list_rules(EventBusName=self._prefix, NamePrefix=self._taps)["Rules"]
        queues = self._sqs.list_queues(QueueNamePrefix=self._taps).get("QueueUrls", [])
        for name in {rule["Name"] for rule in rules} | {url.rpartition("/")[2] for url in queues}:
            process = name.removeprefix(self._taps).split("-")[0]
            if not process.isdigit() or is_gone(int(process)):
                _remove(self._events, self._sqs, self._prefix, name)


class Tap:
    """A rule and a queue of its own: every event of the bus is delivered into the queue too."""

    def __init__(self, events: Any, sqs: Any, bus: str, name: str) -> None:
        self._events, self._sqs, self._bus, self._name = events, sqs, bus, name
        try:
            self._url = sqs.create_queue(QueueName=name)["QueueUrl"]
            attributes = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
            pattern = json.dumps({"account": [{"exists": True}]})
            events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
            target = {"Id": name, "Arn": attributes["Attributes"]["QueueArn"]}
            events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
        except BaseException:
            self.remove()
            raise

    def receive(self, seconds: int = 0) -> list[ObservedEvent]:
        """Return the events since the last call, at most ten; wait `seconds` for the first."""
        response = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=seconds,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages = response.get("Messages", [])
        if messages:
            self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )
        return [
            ObservedEvent(int(message["Attributes"]["SentTimestamp"]), message["Body"])
            for message in messages
        ]

    def is_there(self) -> bool:
        """Return whether the tap still exists, which it does not in a new environment."""
        found = self._events.list_rules(EventBusName=self._bus, NamePrefix=self._name)
        return self._name in {rule["Name"] for rule in found["Rules"]}

    def remove(self) -> None:
        """Remove rule and queue; fine when they, or the whole environment, are gone."""
        _remove(self._events, self._sqs, self._bus, self._name)


def _remove(events: Any, sqs: Any, bus: str, name: str) -> None:
    # Each by itself, so that one that is gone does not prevent the others.
    with contextlib.suppress(BotoCoreError, ClientError):
        events.remove_targets(Rule=name, EventBusName=bus, Ids=[name])
    with contextlib.suppress(BotoCoreError, ClientError):
        events.delete_rule(Name=name, EventBusName=bus)
    with contextlib.suppress(BotoCoreError, ClientError):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def is_gone(pid: int) -> bool:
    """Return whether no process has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives, and belongs to someone else
    return False

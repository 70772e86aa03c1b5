"""The bus of a running environment: listening in, saying events again, and who hears."""

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

from harness.deploy import PREFIX, session, stack_name
from plumbing.publish import publisher

TAP = f"{PREFIX}-tap-"
BATCH = 10  # SQS hands out and takes no more at once

_numbers = itertools.count(1)


class Crossing(msgspec.Struct, frozen=True):
    """An event as it crossed the bus, and when: milliseconds since 1970."""

    at: int
    body: str


class Bus:
    """The saga's bus at an endpoint."""

    def __init__(self, endpoint: str, config: Config | None = None) -> None:
        self._events = session().client("events", endpoint_url=endpoint, config=config)
        self._sqs = session().client("sqs", endpoint_url=endpoint, config=config)
        self.say = publisher(self._events, PREFIX)

    def hears(self, service: str, *, hears: bool) -> None:
        """Let a service hear its events, or nothing: what is said to it meanwhile is lost."""
        switch = self._events.enable_rule if hears else self._events.disable_rule
        switch(Name=stack_name(service), EventBusName=PREFIX)

    def hearing(self) -> frozenset[str]:
        """Answer the names of the rules that are switched on."""
        pages = self._events.get_paginator("list_rules").paginate(EventBusName=PREFIX)
        rules = [rule for page in pages for rule in page["Rules"]]
        return frozenset(rule["Name"] for rule in rules if rule["State"] == "ENABLED")

    def tap(self) -> Tap:
        """Listen to everything that is said from now on, until the tap is removed.

        Its names carry the process, so that two do not meet, and that what a killed one left
        behind is known for that, and removed here.
        """
        self._sweep()
        return Tap(self._events, self._sqs, f"{TAP}{os.getpid()}-{next(_numbers)}")

    @contextmanager
    def tapped(self) -> Iterator[Tap]:
        """Listen to everything that is said meanwhile."""
        tap = self.tap()
        try:
            yield tap
        finally:
            tap.remove()

    def _sweep(self) -> None:
        # Either may be there alone: a process can be killed at any time.
        rules = self._events.list_rules(EventBusName=PREFIX, NamePrefix=TAP)["Rules"]
        queues = self._sqs.list_queues(QueueNamePrefix=TAP).get("QueueUrls", [])
        for name in {rule["Name"] for rule in rules} | {url.rpartition("/")[2] for url in queues}:
            process = name.removeprefix(TAP).split("-")[0]
            if not process.isdigit() or is_gone(int(process)):
                _remove(self._events, self._sqs, name)


class Tap:
    """A rule and a queue of one listener: every event of the bus comes into the queue too."""

    def __init__(self, events: Any, sqs: Any, name: str) -> None:
        self._events, self._sqs, self._name = events, sqs, name
        try:
            self._url = sqs.create_queue(QueueName=name)["QueueUrl"]
            asked = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
            pattern = json.dumps({"account": [{"exists": True}]})
            events.put_rule(Name=name, EventBusName=PREFIX, EventPattern=pattern)
            target = {"Id": name, "Arn": asked["Attributes"]["QueueArn"]}
            events.put_targets(Rule=name, EventBusName=PREFIX, Targets=[target])
        except BaseException:
            self.remove()
            raise

    def receive(self, seconds: int = 0) -> list[Crossing]:
        """Answer what came since, up to ten events; waits so many seconds for the first."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=BATCH,
            WaitTimeSeconds=seconds,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages = answer.get("Messages", [])
        if messages:
            self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )
        return [
            Crossing(int(message["Attributes"]["SentTimestamp"]), message["Body"])
            for message in messages
        ]

    def is_there(self) -> bool:
        """Tell whether the tap is there still, which it is not in an environment that is new."""
        found = self._events.list_rules(EventBusName=PREFIX, NamePrefix=self._name)
        return self._name in {rule["Name"] for rule in found["Rules"]}

    def remove(self) -> None:
        """Take rule and queue away; fine when they are gone, or the whole environment is."""
        _remove(self._events, self._sqs, self._name)


def _remove(events: Any, sqs: Any, name: str) -> None:
    # Each by itself, so that one that is gone already keeps none of the others.
    with contextlib.suppress(BotoCoreError, ClientError):
        events.remove_targets(Rule=name, EventBusName=PREFIX, Ids=[name])
    with contextlib.suppress(BotoCoreError, ClientError):
        events.delete_rule(Name=name, EventBusName=PREFIX)
    with contextlib.suppress(BotoCoreError, ClientError):
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def is_gone(pid: int) -> bool:
    """Tell whether no process has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is somebody else's, and lives
    return False

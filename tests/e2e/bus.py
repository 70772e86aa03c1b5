"""The bus of a running environment, in the hands of someone who may say anything on it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.deploy import PREFIX, session, stack_name

ACCOUNT = "000000000000"


class Bus:
    """Says events, listens in, and stops services from hearing."""

    def __init__(self, endpoint: str) -> None:
        self._events = session().client("events", endpoint_url=endpoint)
        self._sqs = session().client("sqs", endpoint_url=endpoint)

    def say(self, event: dict[str, Any]) -> None:
        """Say an event, given as it is delivered."""
        entry = {
            "EventBusName": PREFIX,
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        answer = self._events.put_events(Entries=[entry])  # type: ignore[list-item]
        assert answer["FailedEntryCount"] == 0

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
                self._events.disable_rule(Name=stack_name(service), EventBusName=PREFIX)
            yield
        finally:
            for service in services:
                self._events.enable_rule(Name=stack_name(service), EventBusName=PREFIX)

    @contextmanager
    def tapped(self) -> Iterator["Tap"]:
        """Collect everything that is said on the bus meanwhile."""
        name = f"{PREFIX}-tap"
        url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        try:
            pattern = json.dumps({"account": [{"exists": True}]})
            self._events.put_rule(Name=name, EventBusName=PREFIX, EventPattern=pattern)
            target = {"Id": name, "Arn": attributes["Attributes"]["QueueArn"]}
            self._events.put_targets(
                Rule=name,
                EventBusName=PREFIX,
                Targets=[target],  # type: ignore[list-item]
            )
            yield Tap(self._sqs, url)
        finally:
            self._events.remove_targets(Rule=name, EventBusName=PREFIX, Ids=[name])
            self._events.delete_rule(Name=name, EventBusName=PREFIX)
            self._sqs.delete_queue(QueueUrl=url)


class Tap:
    """The events said on the bus since it was tapped."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs, self._url = sqs, url
        self._heard: list[dict[str, Any]] = []

    def heard(self) -> list[dict[str, Any]]:
        """Answer them all, as they were delivered."""
        while True:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
            messages = answer.get("Messages", [])
            if not messages:
                return list(self._heard)
            self._heard += [json.loads(message["Body"]) for message in messages]
            handles = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=handles)

    def of(self, order_id: str, detail_type: str | None = None) -> list[dict[str, Any]]:
        """Answer what was said of an order; of one type, or of any."""
        return [
            event
            for event in self.heard()
            if event["detail"].get("orderId") == order_id
            and detail_type in (None, event["detail-type"])
        ]

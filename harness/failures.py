"""The services' failure queues: read what failed, unwrap each record, and redrive it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from harness.environment import Clients
from harness.errors import UserError
from harness.names import stack_name
from plumbing.envelope import Envelope, EnvelopeError
from plumbing.outbox import EventMismatchError
from plumbing.untrusted import MalformedError, decode_json

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# What a service raises for an event that no retry can cure.
# UnmarshalError is raised by the runtime client itself, for what is no JSON that it can read.
POISON = frozenset({EnvelopeError.__name__, EventMismatchError.__name__, "Runtime.UnmarshalError"})

# For so long the leased messages stay invisible to others, should this process be killed.
LEASE_SECONDS = 180
# Reading ends earlier, so that time is left to redrive what was read before the lease ends.
READ_SECONDS = 60
REDRIVE_SECONDS = 160
BATCH = 10  # the most messages of one SQS call


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a failure queue's message: the event that failed, and the reason."""

    payload: bytes  # the event as it was delivered, byte for byte
    event: str | None  # the detail-type; None, like the order, when it cannot be read
    order_id: str | None
    kind: Literal["poison", "transient"]
    reason: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A failure in the queue of a service."""

    service: str
    message_id: str
    receipt: str
    since: datetime
    failure: Failure


class Context(msgspec.Struct, frozen=True):
    """Why Lambda gave up on an event: `RetriesExhausted`, `EventAgeExceeded`, ..."""

    condition: str


class GivenUp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Lambda's record for a function's on-failure destination; no response if it was not called.

    Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide.
    """

    request_context: Context
    request_payload: msgspec.Raw
    response_payload: Any = None


def unwrap(body: str, attributes: Mapping[str, str]) -> Failure:
    """Unwrap a message: a rule's dead letter or a function's record; anything else is poison.

    A dead letter's body is the event; its attributes have the reason. Source:
    "Using dead-letter queues to process undelivered events", Amazon EventBridge user guide.
    """
    try:
        given_up: GivenUp = decode_json(body, GivenUp)
    except MalformedError:
        return _undelivered(body.encode(errors="replace"), attributes)
    response = given_up.response_payload
    error = response if isinstance(response, dict) else {"errorMessage": response}
    error_type, message = (
        value if isinstance(value := error.get(name), str) else None
        for name in ("errorType", "errorMessage")
    )
    reason = [error_type or given_up.request_context.condition, message]
    payload = bytes(given_up.request_payload)
    event, order_id = _names(payload) or (None, None)
    return Failure(
        payload=payload,
        event=event,
        order_id=order_id,
        kind="poison" if error_type in POISON else "transient",
        reason=_one_line(reason),
    )


def _undelivered(payload: bytes, attributes: Mapping[str, str]) -> Failure:
    names = _names(payload)
    if names is None:
        return Failure(
            payload=payload,
            event=None,
            order_id=None,
            kind="poison",
            reason="neither an event nor a function's record of one",
        )
    event, order_id = names
    reason = [attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE")]
    return Failure(
        payload=payload,
        event=event,
        order_id=order_id,
        kind="transient",
        reason=f"not delivered: {_one_line(reason)}",
    )


def _names(payload: bytes) -> tuple[str, str | None] | None:
    """Return the detail-type and the order of an event; None when it is not one."""
    try:
        envelope: Envelope = decode_json(payload, Envelope)
    except MalformedError:
        return None
    order_id = envelope.detail.get("orderId")
    return envelope.detail_type, order_id if isinstance(order_id, str) else None


def _one_line(parts: Sequence[str | None]) -> str:
    line = " ".join(": ".join(part for part in parts if part).split())
    return line[:300] or "no reason is given"


@contextmanager
def lease(clients: Clients, services: Sequence[str]) -> Iterator[QueueLease]:
    """Lease the messages of these services' failure queues; at the end, the rest is released.

    Raises UserError when none of them has a failure queue.
    """
    leased = QueueLease(clients, services)
    try:
        leased.read()
        yield leased
    finally:
        leased.release()


class QueueLease:
    """Messages read from failure queues, invisible to others so that nobody redrives them too."""

    def __init__(self, clients: Clients, services: Sequence[str]) -> None:
        self._prefix = clients.prefix
        self._sqs: SQSClient = clients.client("sqs")
        self._lambda: LambdaClient = clients.client("lambda")
        self._begun = time.monotonic()
        self._messages: dict[str, Message] = {}
        self._queues = {service: url for service in services if (url := self._find(service))}
        if not self._queues:
            raise UserError(
                f"No failure queue of {', '.join(services)} is here: deploy first, name a service "
                "that consumes events, or choose the account and region where they are."
            )
        self.read_all = True  # False when more waits than could be read in time
        self.elsewhere = 0  # about how many someone else holds, in queues that seem empty

    @property
    def messages(self) -> list[Message]:
        """Return what is held, oldest first."""
        return sorted(self._messages.values(), key=lambda message: message.since)

    @property
    def is_over(self) -> bool:
        """Return whether the time is over in which messages may be redriven."""
        return time.monotonic() - self._begun > REDRIVE_SECONDS

    def read(self) -> None:
        """Receive all that can be seen in the queues."""
        with ThreadPoolExecutor(len(self._queues)) as pool:
            for _ in pool.map(self._read, self._queues):
                pass

    def redrive(self, message: Message) -> None:
        """Send the event to the function that failed, with all its tries, and only to that one.

        The message is deleted only after the event was accepted. A crash in between delivers the
        event twice, which every service is built for. Raises botocore's errors.
        """
        self._lambda.invoke(
            FunctionName=stack_name(message.service, self._prefix),
            InvocationType="Event",
            Payload=message.failure.payload,
        )
        self.discard(message)

    def discard(self, message: Message) -> None:
        """Delete a message for good. Raises botocore's errors."""
        self._sqs.delete_message(
            QueueUrl=self._queues[message.service], ReceiptHandle=message.receipt
        )
        del self._messages[message.message_id]

    def release(self) -> None:
        """Make visible again what was not redriven."""
        for service, url in self._queues.items():
            receipts = [m.receipt for m in self._messages.values() if m.service == service]
            for begin in range(0, len(receipts), BATCH):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for index, receipt in enumerate(receipts[begin : begin + BATCH])
                    ],
                )

    def _find(self, service: str) -> str | None:
        """Return the URL of a service's failure queue; one that consumes no event has none."""
        try:
            return self._sqs.get_queue_url(
                QueueName=f"{stack_name(service, self._prefix)}-failures"
            )["QueueUrl"]
        except self._sqs.exceptions.QueueDoesNotExist:
            return None

    def _read(self, service: str) -> None:
        url, is_empty = self._queues[service], True
        while received := self._receive(url):
            is_empty = False
            for one in received:
                # A standard queue may deliver one twice: it counts once, by its last receipt.
                self._messages[one["MessageId"]] = _message(service, one)
            if time.monotonic() - self._begun > READ_SECONDS:
                self.read_all = False
                return
        if is_empty:
            # Or so it seems: what someone else has leased cannot be seen.
            counted = self._sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
            )
            self.elsewhere += int(counted["Attributes"]["ApproximateNumberOfMessagesNotVisible"])

    def _receive(self, url: str) -> Sequence[MessageTypeDef]:
        # Only a receive that waits asks all of SQS's servers; one that does not may miss messages.
        return self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=LEASE_SECONDS,
            WaitTimeSeconds=1,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])


def _message(service: str, received: MessageTypeDef) -> Message:
    attributes = received.get("MessageAttributes", {})
    texts = {name: value.get("StringValue", "") for name, value in attributes.items()}
    sent = int(received["Attributes"]["SentTimestamp"])
    return Message(
        service=service,
        message_id=received["MessageId"],
        receipt=received["ReceiptHandle"],
        since=datetime.fromtimestamp(sent / 1000, UTC),
        failure=unwrap(received["Body"], texts),
    )

"""What failed and waits in the services' failure queues: reading it, and putting it back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from harness.deploy import stack_name
from harness.environment import Clients
from harness.trouble import Trouble
from plumbing.envelope import Envelope, EnvelopeError
from plumbing.step import Contradiction

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# What a service raises of an event that no retry can cure.
POISON = frozenset({EnvelopeError.__name__, Contradiction.__name__})

# For so long others do not see what is held here, should this process be killed meanwhile.
HOLD_SECONDS = 180
# Reading ends earlier, so that time is left to put back what was read, and that ends in time too.
READ_SECONDS = 60
PUT_BACK_SECONDS = 160
BATCH = 10  # SQS hands out and takes no more at once


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What a message of a failure queue tells: which event failed, and why."""

    payload: bytes  # the event as it was delivered, to the byte
    event: str | None  # the detail-type; None, as the order is, where there is none to be read
    order_id: str | None
    kind: Literal["poison", "transient"]
    reason: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as it waits in the queue of a service."""

    service: str
    message_id: str
    receipt: str
    since: datetime
    failure: Failure


class Context(msgspec.Struct, frozen=True):
    """Why Lambda gave an event up: `RetriesExhausted`, `EventAgeExceeded`, ..."""

    condition: str


class GivenUp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Lambda tells a function's on-failure destination; no response if it was never called.

    Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide.
    """

    request_context: Context
    request_payload: msgspec.Raw
    response_payload: Any = None


def unwrap(body: str, attributes: Mapping[str, str]) -> Failure:
    """Read a message, which is a rule's dead letter or a function's record; else it is poison.

    A dead letter's body is the event, and its attributes say what hindered the delivery. Source:
    "Using dead-letter queues to process undelivered events", Amazon EventBridge user guide.
    """
    try:
        given_up = msgspec.json.decode(body, type=GivenUp)
    except msgspec.DecodeError:
        return _undelivered(body.encode(), attributes)
    response = given_up.response_payload
    error = response if isinstance(response, dict) else {"errorMessage": response or ""}
    error_type = error.get("errorType")
    said = [error_type or given_up.request_context.condition, error.get("errorMessage")]
    payload = bytes(given_up.request_payload)
    event, order_id = _names(payload) or (None, None)
    return Failure(
        payload=payload,
        event=event,
        order_id=order_id,
        kind="poison" if error_type in POISON else "transient",
        reason=_one_line(said),
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
    said = [attributes.get("ERROR_CODE"), attributes.get("ERROR_MESSAGE")]
    return Failure(
        payload=payload,
        event=event,
        order_id=order_id,
        kind="transient",
        reason=f"not delivered: {_one_line(said) or 'no reason is given'}",
    )


def _names(payload: bytes) -> tuple[str, str | None] | None:
    """Answer the detail-type and the order of an event; None when it is not one."""
    try:
        envelope = msgspec.json.decode(payload, type=Envelope)
    except msgspec.DecodeError:
        return None
    order_id = envelope.detail.get("orderId")
    return envelope.detail_type, None if order_id is None else str(order_id)


def _one_line(said: Sequence[object]) -> str:
    return " ".join(": ".join(str(part) for part in said if part).split())[:300]


@contextmanager
def hold(clients: Clients, services: Sequence[str]) -> Iterator[Held]:
    """Hold what waits in these services' failure queues; at the end, others see what is left.

    Raises Trouble when none of them has a failure queue.
    """
    held = Held(clients, services)
    try:
        held.read()
        yield held
    finally:
        held.release()


class Held:
    """What was read of failure queues, held from others so that nobody puts it back meanwhile."""

    def __init__(self, clients: Clients, services: Sequence[str]) -> None:
        self._sqs: SQSClient = clients.client("sqs")
        self._lambda: LambdaClient = clients.client("lambda")
        self._begun = time.monotonic()
        self._messages: dict[str, Message] = {}
        self._queues = {service: url for service in services if (url := self._find(service))}
        if not self._queues:
            raise Trouble(
                f"No failure queue of {', '.join(services)} is here: deploy first, name a service "
                "that hears events, or choose the account and region where they are."
            )
        self.read_all = True  # False when more waits than could be read in time
        self.elsewhere = 0  # about how many someone else holds, in queues that seem empty

    @property
    def messages(self) -> list[Message]:
        """Answer what is held, oldest first."""
        return sorted(self._messages.values(), key=lambda message: message.since)

    @property
    def is_over(self) -> bool:
        """Tell whether the time is over in which messages are put back."""
        return time.monotonic() - self._begun > PUT_BACK_SECONDS

    def read(self) -> None:
        """Receive all that can be seen in the queues."""
        with ThreadPoolExecutor(len(self._queues)) as pool:
            for _ in pool.map(self._read, self._queues):
                pass

    def put_back(self, message: Message) -> None:
        """Give the event to the function that failed, with all its tries, and only to that one.

        The message is deleted only after the event was accepted: a crash in between gives the
        event twice, which every service is built for. Raises botocore's errors.
        """
        self._lambda.invoke(
            FunctionName=stack_name(message.service),
            InvocationType="Event",
            Payload=message.failure.payload,
        )
        self._sqs.delete_message(
            QueueUrl=self._queues[message.service], ReceiptHandle=message.receipt
        )
        del self._messages[message.message_id]

    def release(self) -> None:
        """Let others see again what was not put back."""
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
        """Answer the URL of a service's failure queue; one that hears no event has none."""
        try:
            return self._sqs.get_queue_url(QueueName=f"{stack_name(service)}-failures")["QueueUrl"]
        except self._sqs.exceptions.QueueDoesNotExist:
            return None

    def _read(self, service: str) -> None:
        url, is_empty = self._queues[service], True
        while received := self._receive(url):
            is_empty = False
            for one in received:
                # A standard queue may hand one out twice: it counts once, by its last receipt.
                self._messages[one["MessageId"]] = _message(service, one)
            if time.monotonic() - self._begun > READ_SECONDS:
                self.read_all = False
                return
        if is_empty:
            # Or so it seems: what someone else is reading just now cannot be seen.
            counted = self._sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
            )
            self.elsewhere += int(counted["Attributes"]["ApproximateNumberOfMessagesNotVisible"])

    def _receive(self, url: str) -> Sequence[MessageTypeDef]:
        # Only a receive that waits asks all of SQS's servers: one that does not may see nothing
        # where something is.
        return self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HOLD_SECONDS,
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

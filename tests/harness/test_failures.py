"""What waits in a failure queue is told apart, held, and put back so that nothing is lost."""

import json
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.environment import Clients
from harness.failures import Failure, hold, unwrap
from tests.records import dead_letter_attributes, given_up
from tests.world import ORDER_ID, sample

EVENT = sample("InventoryReserved")


def test_a_functions_record_is_unwrapped_to_its_event_and_its_error() -> None:
    failure = unwrap(given_up(EVENT), {})

    assert json.loads(failure.payload) == EVENT
    assert _told(failure) == (
        "InventoryReserved",
        ORDER_ID,
        "transient",
        "ReadTimeoutError: Read timeout on endpoint URL",
    )


def test_a_rules_dead_letter_is_unwrapped_to_its_event_and_its_hindrance() -> None:
    body = json.dumps(EVENT)

    failure = unwrap(body, dead_letter_attributes())

    assert failure.payload == body.encode()
    assert _told(failure) == (
        "InventoryReserved",
        ORDER_ID,
        "transient",
        "not delivered: NO_PERMISSIONS: EventBridge has no permission to invoke the function.",
    )


def test_a_dead_letter_that_lost_its_attributes_is_still_an_event() -> None:
    failure = unwrap(json.dumps(EVENT), {})

    assert failure.kind == "transient"
    assert failure.reason == "not delivered: no reason is given"


@pytest.mark.parametrize("error", ["EnvelopeError", "Contradiction"])
def test_an_event_that_its_service_can_never_take_is_poison(error: str) -> None:
    response = {"errorType": error, "errorMessage": "InventoryReserved: wrong"}

    failure = unwrap(given_up(EVENT, responsePayload=response), {})

    assert failure.kind == "poison"
    assert failure.reason == f"{error}: InventoryReserved: wrong"


def test_an_event_that_grew_too_old_was_never_answered_and_is_transient() -> None:
    context = {"condition": "EventAgeExceeded", "approximateInvokeCount": 0}

    failure = unwrap(
        given_up(EVENT, requestContext=context, responseContext=None, responsePayload=None), {}
    )

    assert _told(failure) == ("InventoryReserved", ORDER_ID, "transient", "EventAgeExceeded")


def test_a_process_that_died_gave_no_type_of_error_and_is_transient() -> None:
    response = {"errorMessage": "RequestId: e4b46cbf\nProcess exited before completing request"}

    failure = unwrap(given_up(EVENT, responsePayload=response), {})

    assert failure.kind == "transient"
    assert failure.reason == (
        "RetriesExhausted: RequestId: e4b46cbf Process exited before completing request"
    )


def test_an_event_is_handed_on_byte_for_byte() -> None:
    spaced = '{ "detail-type": "X",  "detail": {"orderId": "caf\\u00e9", "amount": 1.50} }'

    failure = unwrap(f'{{"requestContext": {{"condition": "C"}}, "requestPayload": {spaced}}}', {})

    assert failure.payload == spaced.encode()


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", '{"detail-type": "X"}'])
def test_what_is_neither_an_event_nor_a_record_of_one_is_poison(body: str) -> None:
    failure = unwrap(body, {})

    assert failure.payload == body.encode()
    assert _told(failure) == (
        None,
        None,
        "poison",
        "neither an event nor a function's record of one",
    )


def test_a_record_of_a_call_that_was_no_event_has_no_order() -> None:
    response = {"errorType": "EnvelopeError", "errorMessage": "envelope: wrong"}

    failure = unwrap(given_up({}, responsePayload=response), {})

    assert _told(failure) == (None, None, "poison", "EnvelopeError: envelope: wrong")


def test_a_message_that_a_queue_hands_out_twice_is_held_once_and_let_go_of_once() -> None:
    queue = MemoryQueue("one", "two", "one")

    with hold(_clients(queue, MemoryFunction()), ["charge_payment"]) as held:
        ids = [message.message_id for message in held.messages]

    # Of those that wait, the oldest comes first; this queue hands it out last.
    assert ids == ["two", "one"]
    # A message obeys only the receipt that was given last.
    assert queue.released == ["one again", "two"]


def test_a_message_is_deleted_only_after_its_event_was_accepted() -> None:
    queue, function = MemoryQueue("one"), MemoryFunction(refuses=True)

    with hold(_clients(queue, function), ["charge_payment"]) as held:
        [message] = held.messages
        with pytest.raises(ClientError):
            held.put_back(message)

    assert queue.deleted == []
    assert queue.released == ["one"]


def test_what_was_put_back_is_deleted_and_not_let_go_of() -> None:
    queue, function = MemoryQueue("one"), MemoryFunction()

    with hold(_clients(queue, function), ["charge_payment"]) as held:
        [message] = held.messages
        held.put_back(message)

    assert function.called == [("order-saga-charge-payment", "Event", EVENT)]
    assert queue.deleted == ["one"]
    assert queue.released == []


def test_a_reader_that_is_interrupted_lets_go_of_what_it_held() -> None:
    queue = MemoryQueue("one")

    with (
        pytest.raises(KeyboardInterrupt),
        hold(_clients(queue, MemoryFunction()), ["charge_payment"]),
    ):
        raise KeyboardInterrupt

    assert queue.released == ["one"]


class MemoryQueue:
    """A queue that hands out these messages, one at a time, as SQS may: the same one twice."""

    # The errors of the real client, which the code under test catches by their names.
    exceptions = boto3.client("sqs", "us-east-1").exceptions

    def __init__(self, *message_ids: str) -> None:
        self._waiting = list(message_ids)
        self._sent = {one: 1769850000000 - n for n, one in enumerate(dict.fromkeys(message_ids))}
        self._handed_out: set[str] = set()
        self.deleted: list[str] = []
        self.released: list[str] = []

    def get_queue_url(self, **request: Any) -> dict[str, str]:
        return {"QueueUrl": "queue"}

    def get_queue_attributes(self, **request: Any) -> dict[str, dict[str, str]]:
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": "0"}}

    def receive_message(self, **request: Any) -> dict[str, Any]:
        if not self._waiting:
            return {}
        one = self._waiting.pop(0)
        receipt = f"{one} again" if one in self._handed_out else one
        self._handed_out.add(one)
        message = {
            "MessageId": one,
            "ReceiptHandle": receipt,
            "Body": json.dumps(EVENT),
            "Attributes": {"SentTimestamp": str(self._sent[one])},
        }
        return {"Messages": [message]}

    def delete_message(self, **request: Any) -> None:
        self.deleted.append(request["ReceiptHandle"])

    def change_message_visibility_batch(self, **request: Any) -> None:
        assert all(entry["VisibilityTimeout"] == 0 for entry in request["Entries"])
        self.released += [entry["ReceiptHandle"] for entry in request["Entries"]]


class MemoryFunction:
    """Lambda, accepting what it is given, or refusing it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses
        self.called: list[tuple[str, str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, int]:
        if self._refuses:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        event = json.loads(request["Payload"])
        self.called.append((request["FunctionName"], request["InvocationType"], event))
        return {"StatusCode": 202}


class MemoryClients:
    """A queue and a function in the place of AWS's."""

    def __init__(self, queue: MemoryQueue, function: MemoryFunction) -> None:
        self._clients = {"sqs": queue, "lambda": function}

    def client(self, name: str) -> Any:
        return self._clients[name]


def _clients(queue: MemoryQueue, function: MemoryFunction) -> Clients:
    return cast("Clients", MemoryClients(queue, function))


def _told(failure: Failure) -> tuple[str | None, str | None, str, str]:
    return failure.event, failure.order_id, failure.kind, failure.reason

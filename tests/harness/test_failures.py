"""Failure records are unwrapped, leased, and redriven so that nothing is lost."""

import json
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from harness.environment import Clients
from harness.failures import Failure, lease, unwrap
from harness.redrive import redrive
from tests.records import dead_letter_attributes, given_up
from tests.world import ORDER_ID, sample

EVENT = sample("InventoryReserved")


def test_a_functions_record_is_unwrapped_to_its_event_and_its_error() -> None:
    failure = unwrap(given_up(EVENT), {})

    assert json.loads(failure.payload) == EVENT
    assert _summary(failure) == (
        "InventoryReserved",
        ORDER_ID,
        "transient",
        "ReadTimeoutError: Read timeout on endpoint URL",
    )


def test_a_rules_dead_letter_is_unwrapped_to_its_event_and_its_reason() -> None:
    body = json.dumps(EVENT)

    failure = unwrap(body, dead_letter_attributes())

    assert failure.payload == body.encode()
    assert _summary(failure) == (
        "InventoryReserved",
        ORDER_ID,
        "transient",
        "not delivered: NO_PERMISSIONS: EventBridge has no permission to invoke the function.",
    )


def test_a_dead_letter_that_lost_its_attributes_is_still_an_event() -> None:
    failure = unwrap(json.dumps(EVENT), {})

    assert failure.kind == "transient"
    assert failure.reason == "not delivered: no reason is given"


@pytest.mark.parametrize("error", ["EnvelopeError", "EventMismatchError", "Runtime.UnmarshalError"])
def test_an_event_that_its_service_can_never_process_is_poison(error: str) -> None:
    response = {"errorType": error, "errorMessage": "InventoryReserved: wrong"}

    failure = unwrap(given_up(EVENT, responsePayload=response), {})

    assert failure.kind == "poison"
    assert failure.reason == f"{error}: InventoryReserved: wrong"


def test_an_event_that_grew_too_old_has_no_response_and_is_transient() -> None:
    context = {"condition": "EventAgeExceeded", "approximateInvokeCount": 0}

    failure = unwrap(
        given_up(EVENT, requestContext=context, responseContext=None, responsePayload=None), {}
    )

    assert _summary(failure) == ("InventoryReserved", ORDER_ID, "transient", "EventAgeExceeded")


def test_a_process_that_died_gave_no_type_of_error_and_is_transient() -> None:
    response = {"errorMessage": "RequestId: e4b46cbf\nProcess exited before completing request"}

    failure = unwrap(given_up(EVENT, responsePayload=response), {})

    assert failure.kind == "transient"
    assert failure.reason == (
        "RetriesExhausted: RequestId: e4b46cbf Process exited before completing request"
    )


@pytest.mark.parametrize("odd", [["EnvelopeError"], {"a": 1}, 7, None, True, [[[[]]]]])
def test_an_error_whose_type_or_text_is_no_text_is_transient(odd: object) -> None:
    response = {"errorType": odd, "errorMessage": odd}

    failure = unwrap(given_up(EVENT, responsePayload=response), {})

    assert (failure.kind, failure.reason) == ("transient", "RetriesExhausted")


def test_an_event_is_kept_byte_for_byte() -> None:
    spaced = '{ "detail-type": "X",  "detail": {"orderId": "caf\\u00e9", "amount": 1.50} }'

    failure = unwrap(f'{{"requestContext": {{"condition": "C"}}, "requestPayload": {spaced}}}', {})

    assert failure.payload == spaced.encode()


@pytest.mark.parametrize(
    "body",
    [
        *("", "no JSON", "[]", "{}", '{"detail-type": "X"}'),
        "[" * 3_000 + "]" * 3_000,
        '{"detail-type": "X", "detail": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}",
        given_up(EVENT).replace('"COFFEE"', "[" * 3_000 + "]" * 3_000),
        '{"detail-type": "\\ud800", "detail": {}}',
        "9" * 5_000,
    ],
    ids=lambda body: body[:40],
)
def test_what_is_neither_an_event_nor_a_record_of_one_is_poison(body: str) -> None:
    failure = unwrap(body, {})

    assert failure.payload == body.encode()
    assert _summary(failure) == (
        None,
        None,
        "poison",
        "neither an event nor a function's record of one",
    )


def test_a_record_of_a_call_that_was_no_event_has_no_order() -> None:
    response = {"errorType": "EnvelopeError", "errorMessage": "envelope: wrong"}

    failure = unwrap(given_up({}, responsePayload=response), {})

    assert _summary(failure) == (None, None, "poison", "EnvelopeError: envelope: wrong")


def test_a_message_that_a_queue_delivers_twice_is_leased_once_and_released_once() -> None:
    queue = MemoryQueue("one", "two", "one")

    with lease(_clients(queue, MemoryFunction()), ["charge_payment"]) as leased:
        ids = [message.message_id for message in leased.messages]

    # The oldest message comes first; this queue delivers it last.
    assert ids == ["two", "one"]
    # Only the last receipt of a message is valid.
    assert queue.released == ["one again", "two"]


def test_a_message_is_deleted_only_after_its_event_was_accepted() -> None:
    queue, function = MemoryQueue("one"), MemoryFunction(refusals=1)

    with lease(_clients(queue, function), ["charge_payment"]) as leased:
        [message] = leased.messages
        with pytest.raises(ClientError):
            leased.redrive(message)

    assert queue.deleted == []
    assert queue.released == ["one"]


def test_a_redriven_message_is_deleted_and_not_released() -> None:
    queue, function = MemoryQueue("one"), MemoryFunction()

    with lease(_clients(queue, function), ["charge_payment"]) as leased:
        [message] = leased.messages
        leased.redrive(message)

    assert function.called == [("order-saga-charge-payment", "Event", EVENT)]
    assert queue.deleted == ["one"]
    assert queue.released == []


def test_an_interrupted_reader_releases_its_messages() -> None:
    queue = MemoryQueue("one")

    with (
        pytest.raises(KeyboardInterrupt),
        lease(_clients(queue, MemoryFunction()), ["charge_payment"]),
    ):
        raise KeyboardInterrupt

    assert queue.released == ["one"]


def test_a_message_that_is_refused_stays_and_the_others_are_redriven() -> None:
    queue, function = MemoryQueue("one", "two"), MemoryFunction(refusals=1)

    with lease(_clients(queue, function), ["charge_payment"]) as leased:
        results = list(redrive(leased))

    assert [bool(one.stays) for one in results] == [True, False]
    assert results[0].stays is not None
    assert results[0].stays.startswith("refused: ")
    assert (queue.deleted, queue.released) == (["one"], ["two"])


def test_poison_stays_unless_it_is_asked_for_and_a_dry_run_sends_nothing() -> None:
    queue, function = MemoryQueue("one", body="no event"), MemoryFunction()

    with lease(_clients(queue, function), ["charge_payment"]) as leased:
        kept, tried = list(redrive(leased)), list(redrive(leased, poison=True, dry_run=True))

    reason = "poison: neither an event nor a function's record of one"
    assert [one.stays for one in kept + tried] == [reason, None]
    assert (function.called, queue.deleted) == ([], [])


class MemoryQueue:
    """A queue that delivers these messages, one at a time, as SQS may: the same one twice."""

    # The errors of the real client, which the code under test catches by their names.
    exceptions = boto3.client("sqs", "us-east-1").exceptions

    def __init__(self, *message_ids: str, body: str = json.dumps(EVENT)) -> None:
        self._body = body
        self._waiting = list(message_ids)
        self._sent = {one: 1769850000000 - n for n, one in enumerate(dict.fromkeys(message_ids))}
        self._delivered: set[str] = set()
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
        receipt = f"{one} again" if one in self._delivered else one
        self._delivered.add(one)
        message = {
            "MessageId": one,
            "ReceiptHandle": receipt,
            "Body": self._body,
            "Attributes": {"SentTimestamp": str(self._sent[one])},
        }
        return {"Messages": [message]}

    def delete_message(self, **request: Any) -> None:
        self.deleted.append(request["ReceiptHandle"])

    def change_message_visibility_batch(self, **request: Any) -> None:
        assert all(entry["VisibilityTimeout"] == 0 for entry in request["Entries"])
        self.released += [entry["ReceiptHandle"] for entry in request["Entries"]]


class MemoryFunction:
    """Lambda, accepting events after so many refusals."""

    def __init__(self, *, refusals: int = 0) -> None:
        self._refusals = refusals
        self.called: list[tuple[str, str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, int]:
        if self._refusals:
            self._refusals -= 1
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        event = json.loads(request["Payload"])
        self.called.append((request["FunctionName"], request["InvocationType"], event))
        return {"StatusCode": 202}


class MemoryClients:
    """A queue and a function in the place of AWS's."""

    prefix = "order-saga"

    def __init__(self, queue: MemoryQueue, function: MemoryFunction) -> None:
        self._clients = {"sqs": queue, "lambda": function}

    def client(self, name: str) -> Any:
        return self._clients[name]


def _clients(queue: MemoryQueue, function: MemoryFunction) -> Clients:
    return cast("Clients", MemoryClients(queue, function))


def _summary(failure: Failure) -> tuple[str | None, str | None, str, str]:
    return failure.event, failure.order_id, failure.kind, failure.reason

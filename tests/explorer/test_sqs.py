"""Messages of SQS, as its documentation and Lambda's have them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from explorer.calls import UnknownCallError
from explorer.sqs import Message, Sent, answer, failed, records, refused, sent

URL = "https://sqs.us-east-2.amazonaws.com/123456789012/my-queue"
SENT_AT = datetime(2018, 12, 17, 21, 37, 29, 183000, tzinfo=UTC)
RECEIVED_AT = datetime(2018, 12, 17, 21, 37, 29, 185000, tzinfo=UTC)
MEGABYTE = 1024 * 1024


def a_message(number: str = "1", receives: int = 1, **changes: Any) -> Message:
    return Message(
        number, Sent("my-queue", "Test message.", **changes), receives, SENT_AT, RECEIVED_AT
    )


def one(**changes: Any) -> dict[str, Any]:
    return {"QueueUrl": URL, "MessageBody": "hello"} | changes


def batch(*entries: dict[str, Any]) -> dict[str, Any]:
    numbered = [{"Id": f"id-{n}", "MessageBody": "hello"} | e for n, e in enumerate(entries)]
    return {"QueueUrl": URL, "Entries": numbered}


def test_messages_are_handed_over_as_lambdas_guide_has_them() -> None:
    """Its example: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    text = {"DataType": "String", "StringValue": "a"}
    number = {"DataType": "Number", "StringValue": "123"}
    binary = {"DataType": "Binary", "BinaryValue": b"\0\1"}

    event = records(
        [a_message("059f", receives=2, attributes={"t": text, "n": number, "b": binary})],
        "my-queue",
        account="123456789012",
        region="us-east-2",
    )

    lists: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert event == {
        "Records": [
            {
                "messageId": "059f",
                "receiptHandle": "059f-2",
                "body": "Test message.",
                "attributes": {
                    "ApproximateReceiveCount": "2",
                    "SentTimestamp": "1545082649183",
                    "SenderId": "123456789012",
                    "ApproximateFirstReceiveTimestamp": "1545082649185",
                },
                "messageAttributes": {
                    "t": {"dataType": "String", "stringValue": "a", **lists},
                    "n": {"dataType": "Number", "stringValue": "123", **lists},
                    "b": {"dataType": "Binary", "binaryValue": "AAE=", **lists},
                },
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
                "awsRegion": "us-east-2",
            }
        ]
    }


def test_a_message_of_a_group_is_handed_over_with_it() -> None:
    [record] = records([a_message(group="tenant")], "my-queue")["Records"]

    assert record["attributes"]["MessageGroupId"] == "tenant"


NONE: set[str] = set()
ALL = {"1", "2", "3"}
RESPONSES: dict[str, tuple[Any, set[str]]] = {
    "none": (None, NONE),
    "an empty response": ({}, NONE),
    "an empty list": ({"batchItemFailures": []}, NONE),
    "a null list": ({"batchItemFailures": None}, NONE),
    "another answer, without a list": ({"statusCode": 200}, NONE),
    "one": ({"batchItemFailures": [{"itemIdentifier": "2"}]}, {"2"}),
    "one of them twice": ({"batchItemFailures": [{"itemIdentifier": "2"}] * 2}, {"2"}),
    "two": ({"batchItemFailures": [{"itemIdentifier": n} for n in "13"]}, {"1", "3"}),
    "an empty id": ({"batchItemFailures": [{"itemIdentifier": ""}]}, ALL),
    "a null id": ({"batchItemFailures": [{"itemIdentifier": None}]}, ALL),
    "a number": ({"batchItemFailures": [{"itemIdentifier": 2}]}, ALL),
    "a list for an id": ({"batchItemFailures": [{"itemIdentifier": ["2"]}]}, ALL),
    "a bad key": ({"batchItemFailures": [{"messageId": "2"}]}, ALL),
    "ids alone": ({"batchItemFailures": ["2"]}, ALL),
    "an unknown id": ({"batchItemFailures": [{"itemIdentifier": n} for n in "24"]}, ALL),
    "an object for the list": ({"batchItemFailures": {"itemIdentifier": "2"}}, ALL),
    "text": ("done", ALL),
    "a list": ([{"itemIdentifier": "2"}], ALL),
}


@pytest.mark.parametrize(("response", "again"), RESPONSES.values(), ids=RESPONSES)
def test_after_a_partial_batch_response_these_are_received_again(
    response: Any, again: set[str]
) -> None:
    messages = [a_message(number) for number in "123"]

    assert failed(response, messages, partial=True) == again


@pytest.mark.parametrize("response", [response for response, _ in RESPONSES.values()])
def test_without_partial_batch_responses_whatever_is_returned_is_success(response: Any) -> None:
    assert failed(response, [a_message()], partial=False) == set()


def test_a_message_is_sent_to_the_queue_of_its_url_and_answered_with_its_digest() -> None:
    attributes = {"kind": {"DataType": "String", "StringValue": "greeting"}}
    parameters = one(MessageAttributes=attributes, DelaySeconds=5, MessageGroupId="tenant")

    messages = sent("SendMessage", parameters)

    assert messages == [Sent("my-queue", "hello", attributes, 5, "tenant")]
    assert answer("SendMessage", one(), ["m-1"]) == {
        "MessageId": "m-1",
        "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592",
    }


def test_a_batch_is_sent_in_its_order_and_answered_one_by_one() -> None:
    parameters = batch({}, {"MessageBody": "world"})

    messages = sent("SendMessageBatch", parameters)

    assert messages == [Sent("my-queue", "hello"), Sent("my-queue", "world")]
    assert answer("SendMessageBatch", parameters, ["m-1", "m-2"]) == {
        "Successful": [
            {
                "Id": "id-0",
                "MessageId": "m-1",
                "MD5OfMessageBody": "5d41402abc4b2a76b9719d911017c592",
            },
            {
                "Id": "id-1",
                "MessageId": "m-2",
                "MD5OfMessageBody": "7d793037a0760186574b0282f2f435e7",
            },
        ]
    }


def test_attributes_are_answered_with_the_digest_that_others_compute() -> None:
    """The examples of https://www.npmjs.com/package/aws-md5-of-message-attributes."""
    number = "4563442423554324324264524243.32543234"
    attributes = {
        "attribName1": {"DataType": "String", "StringValue": "attribValue 1"},
        "customNumberTypeAttrib": {"DataType": "Number.float", "StringValue": number},
        "binaryAttribute": {"DataType": "Binary", "BinaryValue": b"Hello binary world!"},
    }

    digests = [
        answer("SendMessage", one(MessageAttributes=given), ["m-1"])["MD5OfMessageAttributes"]
        for given in ({name: attributes[name]} for name in attributes)
    ]

    assert digests == [
        "19e27d4e946b072f3f58da80d94fd778",
        "9fe1b90bbd9965bdf77bac517c7d2495",
        "31a92b15d92f8db860eda32aceb656c3",
    ]
    together = answer("SendMessage", one(MessageAttributes=attributes), ["m-1"])
    assert together["MD5OfMessageAttributes"] == "c932db14a896c663f83c260297d594ff"


HALF = {"MessageBody": "a" * (MEGABYTE // 2)}
TYPED = {"a": {"DataType": "String", "StringValue": "b"}}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty batch": (batch(), "EmptyBatchRequest"),
    "eleven entries": (batch(*[{}] * 11), "TooManyEntriesInBatchRequest"),
    "an id twice": (batch({"Id": "a"}, {"Id": "a"}), "BatchEntryIdsNotDistinct"),
    "an id with a blank": (batch({"Id": "a b"}), "InvalidBatchEntryId"),
    "a long id": (batch({"Id": "a" * 81}), "InvalidBatchEntryId"),
    "a long batch": (batch(HALF, HALF, {}), "BatchRequestTooLong"),
    "an empty body": (one(MessageBody=""), "MissingParameter"),
    "a long body": (one(MessageBody="a" * (MEGABYTE + 1)), "InvalidParameterValue"),
    "a long body by its attributes": (
        one(MessageBody="a" * (MEGABYTE - 7), MessageAttributes=TYPED),
        "InvalidParameterValue",
    ),
}


@pytest.mark.parametrize(("parameters", "code"), REFUSED.values(), ids=REFUSED)
def test_a_call_is_refused_as_a_whole(parameters: dict[str, Any], code: str) -> None:
    operation = "SendMessageBatch" if "Entries" in parameters else "SendMessage"

    failure = refused(operation, parameters)

    assert failure is not None
    assert failure.code == code


def test_a_call_within_all_bounds_is_not_refused() -> None:
    calls = [
        ("SendMessage", one(MessageBody="a" * (MEGABYTE - 8), MessageAttributes=TYPED)),
        ("SendMessageBatch", batch(*[{}] * 9, {"Id": "a" * 80})),
        ("SendMessageBatch", batch(HALF, HALF)),
    ]

    assert [refused(*call) for call in calls] == [None, None, None]


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("ReceiveMessage", one(), "ReceiveMessage"),
        ("SendMessage", one(QueueUrl=URL + ".fifo"), "my-queue.fifo"),
        ("SendMessage", one(MessageSystemAttributes={}), "MessageSystemAttributes"),
    ],
    ids=["an operation", "a FIFO queue", "a parameter"],
)
def test_what_is_not_known_is_refused_by_its_name(
    operation: str, parameters: dict[str, Any], named: str
) -> None:
    with pytest.raises(UnknownCallError, match=named):
        sent(operation, parameters)

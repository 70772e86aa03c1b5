"""SQS: what is sent to a queue, how Lambda hands it over, and what it receives again.

Standard queues only: a queue whose name ends with `.fifo` is refused.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

from explorer.calls import Failure, UnknownCallError

# botocore's model of SendMessageBatch: "up to 10 messages"; "The maximum allowed individual message
# size and the maximum total payload size [...] are both 1 MiB 1,048,576 bytes".
ENTRIES, BYTES = 10, 1024 * 1024

ADDED = {
    "MessageBody",
    "MessageAttributes",
    "DelaySeconds",
    "MessageGroupId",  # on a standard queue it shares the turns out fairly, and orders nothing
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sent:
    """A message as it is sent: to this queue, visible after a delay in seconds at the earliest."""

    queue: str
    body: str
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    delay: int = 0
    group: str | None = None


@dataclass(frozen=True)
class Message:
    """A message in a queue, about to be handed over.

    receives: how often it is received with this time.
    """

    id: str
    sent: Sent
    receives: int
    sent_at: datetime
    first_received_at: datetime


def sent(operation: str, parameters: Mapping[str, Any]) -> list[Sent]:
    """Return the messages of a SendMessage or a SendMessageBatch that is not refused, in order."""
    queue = parameters["QueueUrl"].rpartition("/")[2]
    if queue.endswith(".fifo"):
        raise UnknownCallError(f"{queue} is a FIFO queue, which is not known here.")
    entries = _entries(operation, parameters)
    for entry in entries:
        if unknown := sorted({*entry} - ADDED - {"Id", "QueueUrl"}):
            raise UnknownCallError(f"{operation} with {', '.join(unknown)} is not known here.")
    return [
        Sent(
            queue,
            entry["MessageBody"],
            entry.get("MessageAttributes") or {},
            entry.get("DelaySeconds") or 0,
            entry.get("MessageGroupId"),
        )
        for entry in entries
    ]


def refused(operation: str, parameters: Mapping[str, Any]) -> Failure | None:
    """Return the error of a call of which nothing is sent; None where all of it is.

    The codes are the names of botocore's exceptions.
    """
    entries = _entries(operation, parameters)
    if operation == "SendMessageBatch":
        names = [entry["Id"] for entry in entries]
        if not entries:
            return _error("EmptyBatchRequest", "There should be at least one entry.")
        if len(entries) > ENTRIES:
            return _error("TooManyEntriesInBatchRequest", f"At most {ENTRIES} entries are taken.")
        if len({*names}) < len(names):
            return _error("BatchEntryIdsNotDistinct", "An Id is given to two entries.")
        if not all(re.fullmatch("[A-Za-z0-9_-]{1,80}", name) for name in names):
            return _error("InvalidBatchEntryId", "An Id has up to 80 letters, digits, - and _.")
        if sum(map(_size, entries)) > BYTES:
            return _error("BatchRequestTooLong", f"A batch has at most {BYTES} bytes.")
    for entry in entries:
        if not entry["MessageBody"]:
            return _error("MissingParameter", "The message has no body.")
        if _size(entry) > BYTES:
            return _error("InvalidParameterValue", f"A message has at most {BYTES} bytes.")
    return None


def answer(operation: str, parameters: Mapping[str, Any], ids: Sequence[str]) -> dict[str, Any]:
    """Return the answer to a call that sent its messages, which have these ids."""
    entries = _entries(operation, parameters)
    results = [_result(entry, number) for entry, number in zip(entries, ids, strict=True)]
    if operation == "SendMessage":
        return results[0]
    named = [{"Id": entry["Id"], **result} for entry, result in zip(entries, results, strict=True)]
    return {"Successful": named}


def records(
    messages: Sequence[Message],
    queue: str,
    *,
    account: str = "000000000000",
    region: str = "us-east-1",
) -> dict[str, Any]:
    """Return the event that Lambda hands over for messages; its guide, "Using Lambda with SQS"."""
    return {"Records": [_record(message, queue, account, region) for message in messages]}


def failed(response: Any, messages: Sequence[Message], partial: bool) -> set[str]:
    """Return the ids of the messages that are received again though the handler returned.

    Lambda's guide, "Success and failure conditions" of partial batch responses: a success is an
    empty or null list, or an empty or null response; all of the batch failed by an invalid
    response, or by one `itemIdentifier` that is empty, null, badly named or unknown.

    partial: whether the event source has ReportBatchItemFailures; without, returning is success.
    """
    everything = {message.id for message in messages}
    if not partial or response is None:
        return set()
    if not isinstance(response, Mapping):
        return everything
    failures = response.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list | tuple):
        return everything
    named = [one.get("itemIdentifier") if isinstance(one, Mapping) else None for one in failures]
    known = [name for name in named if isinstance(name, str) and name in everything]
    return set(known) if len(known) == len(named) else everything


def _entries(operation: str, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if operation == "SendMessage":
        return [parameters]
    if operation == "SendMessageBatch":
        return list(parameters["Entries"])
    raise UnknownCallError(f"{operation} of SQS is not known here.")


def _error(code: str, message: str) -> Failure:
    return Failure("aws", code, message)


def _size(entry: Mapping[str, Any]) -> int:
    """Return the bytes of a message: of its body, and of its attributes' names, types and values.

    Developer guide, "Amazon SQS message attributes".
    """
    attributes = (entry.get("MessageAttributes") or {}).items()
    parts = [name.encode() + one["DataType"].encode() + _value(one) for name, one in attributes]
    return len(entry["MessageBody"].encode()) + sum(map(len, parts))


def _value(attribute: Mapping[str, Any]) -> bytes:
    binary: str | bytes | bytearray | None = attribute.get("BinaryValue")
    value = attribute["StringValue"] if binary is None else binary
    return value.encode() if isinstance(value, str) else bytes(value)


def _result(entry: Mapping[str, Any], number: str) -> dict[str, str]:
    result = {"MessageId": number, "MD5OfMessageBody": _digest(entry["MessageBody"].encode())}
    if attributes := entry.get("MessageAttributes"):
        result["MD5OfMessageAttributes"] = _digest_of_attributes(attributes)
    return result


def _digest(text: bytes) -> str:
    return md5(text, usedforsecurity=False).hexdigest()


def _digest_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """Developer guide, "Calculating the MD5 message digest for message attributes"."""
    encoded = b""
    for name, attribute in sorted(attributes.items()):
        kind = attribute["DataType"]
        for part in (name.encode(), kind.encode()):
            encoded += len(part).to_bytes(4, "big") + part
        value = _value(attribute)
        transport = b"\2" if kind.startswith("Binary") else b"\1"
        encoded += transport + len(value).to_bytes(4, "big") + value
    return _digest(encoded)


def _record(message: Message, queue: str, account: str, region: str) -> dict[str, Any]:
    group = message.sent.group
    return {
        "messageId": message.id,
        "receiptHandle": f"{message.id}-{message.receives}",  # another with each receive
        "body": message.sent.body,
        "attributes": {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": _milliseconds(message.sent_at),
            "SenderId": account,
            "ApproximateFirstReceiveTimestamp": _milliseconds(message.first_received_at),
            **({"MessageGroupId": group} if group else {}),
        },
        "messageAttributes": {
            name: _handed_over(attribute) for name, attribute in message.sent.attributes.items()
        },
        "md5OfBody": _digest(message.sent.body.encode()),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{region}:{account}:{queue}",
        "awsRegion": region,
    }


def _handed_over(attribute: Mapping[str, Any]) -> dict[str, Any]:
    binary = attribute.get("BinaryValue") is not None
    value = _value(attribute)
    return {
        "binaryValue" if binary else "stringValue": (
            b64encode(value) if binary else value
        ).decode(),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": attribute["DataType"],
    }


def _milliseconds(moment: datetime) -> str:
    return str((moment - EPOCH) // timedelta(milliseconds=1))

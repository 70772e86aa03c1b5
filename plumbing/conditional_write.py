"""Write to DynamoDB under a condition, and learn how the item stands when it does not hold."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from plumbing.attributes import attributes, plains

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Answer = TypeVar("Answer")

# Two transactions on one hot item refuse each other instead of queueing. Eight tries with full
# jitter, at most 20, 40, ... 640 ms apart, outlast a burst; then Lambda's own retry takes over.
TRIES = 8
FIRST_PAUSE_SECONDS = 0.02


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one item and the condition under which it is made, in plain Python values."""

    table: str
    key: Mapping[str, Any]
    change: str
    condition: str
    names: Mapping[str, str]
    values: Mapping[str, Any]


class Refused(msgspec.Struct, frozen=True):
    """The condition of an update did not hold; `item` is what stands there, None for nothing."""

    item: Item | None


def write(client: DynamoDBClient, update: Update) -> Refused | None:
    """Make one update; answer None when it was made, else why not."""
    try:
        _patiently(lambda: client.update_item(**_request(update)))
    except client.exceptions.ConditionalCheckFailedException as error:
        return Refused(_item(error.response.get("Item")))
    return None


def write_new(client: DynamoDBClient, table: str, key: str, item: Item) -> Refused | None:
    """Put `item` unless its `key` is taken; answer None when it was put, else what stands there."""
    try:
        client.put_item(
            TableName=table,
            Item=attributes(item),
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        return Refused(_item(error.response.get("Item")))
    return None


def write_together(
    client: DynamoDBClient, updates: Sequence[Update]
) -> Sequence[Refused | None] | None:
    """Make all updates or none; answer None when made, else one verdict for each, in order."""
    try:
        _patiently(
            lambda: client.transact_write_items(
                TransactItems=[{"Update": _request(update)} for update in updates]
            )
        )
    except client.exceptions.TransactionCanceledException as error:
        reasons: Sequence[Any] = error.response["CancellationReasons"]
        if {reason["Code"] for reason in reasons} - {"None", "ConditionalCheckFailed"}:
            raise
        return [
            None if reason["Code"] == "None" else Refused(_item(reason.get("Item")))
            for reason in reasons
        ]
    return None


def read(client: DynamoDBClient, table: str, key: Mapping[str, Any]) -> Item | None:
    """Answer the item as it stands now (a strongly consistent read), or None."""
    answer = client.get_item(TableName=table, Key=attributes(key), ConsistentRead=True)
    return _item(answer.get("Item"))


def query(
    client: DynamoDBClient, table: str, index: str, equal: tuple[str, Any], most: tuple[str, Any]
) -> Iterator[Item]:
    """Yield the items of an index whose partition is `equal`, up to and with the sort key `most`.

    Both are a key's name and value. Lowest first; a page is asked for when it is needed.
    """
    (partition, wanted), (sort, until) = equal, most
    start: dict[str, Any] = {}
    while True:
        answer = client.query(
            TableName=table,
            IndexName=index,
            KeyConditionExpression="#partition = :partition AND #sort <= :until",
            ExpressionAttributeNames={"#partition": partition, "#sort": sort},
            ExpressionAttributeValues=attributes({":partition": wanted, ":until": until}),
            **start,
        )
        for found in answer["Items"]:
            yield plains(found)
        if "LastEvaluatedKey" not in answer:
            return
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _request(update: Update) -> Any:
    request = {
        "TableName": update.table,
        "Key": attributes(update.key),
        "UpdateExpression": update.change,
        "ConditionExpression": update.condition,
        "ExpressionAttributeNames": update.names,
        "ExpressionAttributeValues": attributes(update.values),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    return {name: value for name, value in request.items() if value}


def _patiently(call: Callable[[], Answer]) -> Answer:
    for attempt in range(1, TRIES):
        try:
            return call()
        except ClientError as error:
            if not _is_conflict(error):
                raise
        time.sleep(random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
    return call()


def _is_conflict(error: ClientError) -> bool:
    reasons: Sequence[Any] = error.response.get("CancellationReasons", [])
    codes = {error.response["Error"]["Code"], *(reason["Code"] for reason in reasons)}
    return bool(codes & {"TransactionConflictException", "TransactionConflict"})


def _item(found: Any) -> Item | None:
    return None if found is None else plains(found)

"""Write to DynamoDB under a condition, and return the stored item when it does not hold."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from plumbing.attributes import attributes, plains
from plumbing.budget import has_time

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Result = TypeVar("Result")

# Two transactions on one hot item refuse each other instead of queueing. Eight tries with full
# jitter, at most 20, 40, ... 640 ms apart, outlast a burst; then Lambda's own retry follows, and as
# well where the invocation has no time for another try.
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


class ConditionFailed(msgspec.Struct, frozen=True):
    """The condition of a write did not hold; `item` is what is stored, None for nothing."""

    item: Item | None


def write(client: DynamoDBClient, update: Update) -> ConditionFailed | None:
    """Make one update; return None when it was made."""
    try:
        _retry_conflicts(lambda: client.update_item(**_request(update)))
    except client.exceptions.ConditionalCheckFailedException as error:
        return ConditionFailed(_item(error.response.get("Item")))
    return None


def put_new(client: DynamoDBClient, table: str, key: str, item: Item) -> ConditionFailed | None:
    """Put `item` unless its `key` is taken; return None when it was put."""
    try:
        client.put_item(
            TableName=table,
            Item=attributes(item),
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        return ConditionFailed(_item(error.response.get("Item")))
    return None


def transact(
    client: DynamoDBClient, updates: Sequence[Update]
) -> Sequence[ConditionFailed | None] | None:
    """Make all updates or none; return None when made, else one result for each, in order."""
    try:
        _retry_conflicts(
            lambda: client.transact_write_items(
                TransactItems=[{"Update": _request(update)} for update in updates]
            )
        )
    except client.exceptions.TransactionCanceledException as error:
        reasons: Sequence[Any] = error.response["CancellationReasons"]
        if {reason["Code"] for reason in reasons} - {"None", "ConditionalCheckFailed"}:
            raise
        return [
            None if reason["Code"] == "None" else ConditionFailed(_item(reason.get("Item")))
            for reason in reasons
        ]
    return None


def read(client: DynamoDBClient, table: str, key: Mapping[str, Any]) -> Item | None:
    """Return the item (a strongly consistent read), or None."""
    response = client.get_item(TableName=table, Key=attributes(key), ConsistentRead=True)
    return _item(response.get("Item"))


def query(
    client: DynamoDBClient,
    table: str,
    index: str,
    equal: tuple[str, Any],
    between: tuple[str, Any, Any],
    page: int,
    after: Item | None = None,
) -> Iterator[Item]:
    """Yield the items of an index whose partition is `equal` and sort key `between`, inclusive.

    These are a key's name with its value, or its lowest and its highest. Lowest first, and only
    those `after` the item of these keys; a page of so many is read when it is needed.
    """
    (partition, wanted), (sort, low, high) = equal, between
    start: dict[str, Any] = {"ExclusiveStartKey": attributes(after)} if after else {}
    while True:
        response = client.query(
            TableName=table,
            IndexName=index,
            KeyConditionExpression="#partition = :partition AND #sort BETWEEN :low AND :high",
            ExpressionAttributeNames={"#partition": partition, "#sort": sort},
            ExpressionAttributeValues=attributes(
                {":partition": wanted, ":low": low, ":high": high}
            ),
            Limit=page,
            **start,
        )
        for found in response["Items"]:
            yield plains(found)
        if "LastEvaluatedKey" not in response:
            return
        start = {"ExclusiveStartKey": response["LastEvaluatedKey"]}


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


def _retry_conflicts(call: Callable[[], Result]) -> Result:
    for attempt in range(1, TRIES):
        pause = random.uniform(0, FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            return call()
        except ClientError as error:
            if not _is_conflict(error) or not has_time(pause):
                raise
        time.sleep(pause)
    return call()


def _is_conflict(error: ClientError) -> bool:
    reasons: Sequence[Any] = error.response.get("CancellationReasons", [])
    codes = {error.response["Error"]["Code"], *(reason["Code"] for reason in reasons)}
    return bool(codes & {"TransactionConflictException", "TransactionConflict"})


def _item(found: Any) -> Item | None:
    return None if found is None else plains(found)

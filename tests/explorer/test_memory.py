"""The clients in memory: botocore's methods and errors, on items that a test may change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from explorer.app import Table
from explorer.calls import UnknownCallError
from explorer.memory import MemoryDynamoDB, MemoryEvents

KEY = {"sku": {"S": "TEA"}}
TAKE: dict[str, Any] = {
    "TableName": "stock",
    "Key": KEY,
    "UpdateExpression": "SET units = units - :one",
    "ConditionExpression": "units >= :one",
    "ExpressionAttributeValues": {":one": {"N": "1"}},
}


@pytest.fixture
def client() -> MemoryDynamoDB:
    memory = MemoryDynamoDB({"stock": "sku"})
    memory.tables["stock"]["TEA"] = {**KEY, "units": {"N": "1.0"}}
    return memory


def test_a_call_changes_the_tables_and_is_noted(client: MemoryDynamoDB) -> None:
    client.update_item(**TAKE)
    found = client.get_item(TableName="stock", Key=KEY)

    assert found == {"Item": {**KEY, "units": {"N": "0"}}}
    assert client.tables == {"stock": {"TEA": found["Item"]}}
    client.delete_item(TableName="stock", Key=KEY)
    assert client.tables == {"stock": {}}
    assert client.calls == ["UpdateItem", "GetItem", "DeleteItem"]


def test_what_is_given_and_returned_can_be_changed_afterwards(client: MemoryDynamoDB) -> None:
    item = {**KEY, "held": {"L": [{"S": "one"}]}}

    client.put_item(TableName="stock", Item=item)
    item["held"]["L"].clear()  # type: ignore[index]
    client.get_item(TableName="stock", Key=KEY)["Item"]["held"]["L"].clear()

    assert client.tables["stock"]["TEA"]["held"] == {"L": [{"S": "one"}]}


def test_errors_are_of_the_classes_of_every_client(client: MemoryDynamoDB) -> None:
    refused = {**TAKE, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    client.update_item(**TAKE)

    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failed:
        client.update_item(**refused)
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Update": refused}])
    with pytest.raises(ClientError, match="ValidationException"):
        client.get_item(TableName="stock", Key={"sku": {"N": "1"}})

    assert failed.value.response["Item"] == client.tables["stock"]["TEA"]
    assert cancelled.value.response["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed"
    assert failed.value.operation_name == "UpdateItem"


def test_so_many_writes_are_refused_for_a_conflict(client: MemoryDynamoDB) -> None:
    before = copy.deepcopy(client.tables)
    client.conflicts = 2

    with pytest.raises(client.exceptions.TransactionConflictException):
        client.update_item(**TAKE)
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Update": TAKE}])

    assert client.tables == before
    assert [one["Code"] for one in cancelled.value.response["CancellationReasons"]] == [
        "TransactionConflict"
    ]
    client.update_item(**TAKE)
    assert client.tables != before


def test_a_page_has_so_many_items() -> None:
    memory = MemoryDynamoDB([Table("turns", "p", "s")])
    for turn in "abc":
        memory.put_item(TableName="turns", Item={"p": {"S": "1"}, "s": {"S": turn}})
    memory.page = 2

    found = memory.query(
        TableName="turns",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "1"}},
    )

    assert found["Count"] == 2
    assert found["LastEvaluatedKey"] == {"p": {"S": "1"}, "s": {"S": "b"}}


def test_parameters_are_checked_as_every_client_does(client: MemoryDynamoDB) -> None:
    with pytest.raises(ParamValidationError, match="Missing required parameter"):
        client.get_item(TableName="stock")


def test_a_method_that_no_client_has_is_not_there(client: MemoryDynamoDB) -> None:
    with pytest.raises(AttributeError, match="a client of dynamodb has no method get_things"):
        client.get_things()


def test_events_are_published_as_they_were_put_or_refused() -> None:
    events = MemoryEvents()
    entry = {"Source": "one", "DetailType": "Two", "Detail": "{}", "EventBusName": "bus"}

    events.refusals = 1
    refused = events.put_events(Entries=[entry])
    accepted = events.put_events(Entries=[entry])

    assert (refused["FailedEntryCount"], accepted["FailedEntryCount"]) == (1, 0)
    assert refused["Entries"][0]["ErrorCode"]
    assert events.published == [entry]
    assert events.calls == ["PutEvents", "PutEvents"]
    with pytest.raises(UnknownCallError, match="events's PutEvents with EndpointId is not known"):
        events.put_events(Entries=[entry], EndpointId="one")
    with pytest.raises(UnknownCallError, match="events's DescribeRule is not known"):
        events.describe_rule(Name="any")

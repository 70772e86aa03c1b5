"""DynamoDB as the explorer knows it: queries, indexes, batches and transactions."""

from __future__ import annotations

from typing import Any

import pytest

from explorer.app import Index, Table
from explorer.dynamodb import DynamoDB, key_text

ORDERS = Table("orders", "p", indexes={"open": Index("k", "t", ("a",))})
TURNS = Table("turns", "p", "s", {"late": Index("p", "t", local=True)}, {"s": "N"})
STOCK = Table("stock", "sku")


def turn(number: int, **more: Any) -> dict[str, Any]:
    """Return an item of one player's turns."""
    return {"p": {"S": "A"}, "s": {"N": str(number)}, "a": {"N": str(number % 3)}, **more}


def order(name: str, at: str, **more: Any) -> dict[str, Any]:
    """Return an item that is in the index of what is open."""
    return {"p": {"S": name}, "k": {"S": "open"}, "t": {"S": at}, "b": {"S": "any"}, **more}


TURN_ITEMS = [turn(number) for number in (1, 2, 3, 10, 20)]
ORDER_ITEMS = [order("1", "b"), order("2", "a"), order("3", "a", a={"N": "1"}), {"p": {"S": "4"}}]
ITEMS: Any = {
    "turns": {key_text(TURNS, item): item for item in TURN_ITEMS},
    "orders": {key_text(ORDERS, item): item for item in ORDER_ITEMS},
    "stock": {"TEA": {"sku": {"S": "TEA"}, "n": {"N": "3"}}},
}
PLAYER = {":p": {"S": "A"}}


def answer(operation: str, older: Any = None, page: int | None = None, /, **given: Any) -> Any:
    """Return the output of a call, or its error as a text."""
    database = DynamoDB([ORDERS, TURNS, STOCK], page)
    outcome = database.call(operation, given, ITEMS, older)
    failure = outcome.answer.failure
    return f"{failure.code}: {failure.message}" if failure else outcome.answer.output


def query(condition: str = "p = :p", values: Any = PLAYER, page: Any = None, **given: Any) -> Any:
    """Query the turns of a player."""
    return answer(
        "Query",
        None,
        page,
        TableName="turns",
        KeyConditionExpression=condition,
        ExpressionAttributeValues={**(PLAYER if ":p" in condition else {}), **values},
        **given,
    )


def numbers(found: Any) -> list[int]:
    """Return the numbers of the turns that were found."""
    return [int(item["s"]["N"]) for item in found["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "found"),
    [
        ("p = :p", {}, [1, 2, 3, 10, 20]),
        (":p = p AND :v < s", {":v": {"N": "3"}}, [10, 20]),
        ("(p = :p) and (s <= :v)", {":v": {"N": "3.0"}}, [1, 2, 3]),
        ("s = :v AND p = :p", {":v": {"N": "10"}}, [10]),
        ("p = :p AND s BETWEEN :v AND :w", {":v": {"N": "2"}, ":w": {"N": "10"}}, [2, 3, 10]),
        ("p = :p AND s > :v", {":v": {"N": "99"}}, []),
    ],
)
def test_a_query_finds_one_partition_in_the_order_of_its_sort_keys(
    condition: str, values: Any, found: list[int]
) -> None:
    assert numbers(query(condition, values)) == found
    assert numbers(query(condition, values, ScanIndexForward=False)) == found[::-1]


def test_a_query_is_read_by_pages_and_the_last_key_need_not_be_there() -> None:
    first = query(Limit=2)
    start = {"p": {"S": "A"}, "s": {"N": "4"}}

    rest = query(Limit=3, ExclusiveStartKey=first["LastEvaluatedKey"])
    gone = query(ExclusiveStartKey=start, ScanIndexForward=False)

    assert numbers(first) == [1, 2]
    assert first["LastEvaluatedKey"] == {"p": {"S": "A"}, "s": {"N": "2"}}
    assert numbers(rest) == [3, 10, 20]
    assert "LastEvaluatedKey" in rest  # it has not looked further
    assert "LastEvaluatedKey" not in query(Limit=6)
    assert numbers(gone) == [3, 2, 1]
    assert numbers(query(page=1, Limit=9)) == [1]


def test_a_filter_counts_what_it_leaves_out_as_scanned() -> None:
    found = query(
        FilterExpression="a = :v", values={":v": {"N": "1"}}, Limit=4, ProjectionExpression="a, s"
    )

    assert (found["Count"], found["ScannedCount"]) == (2, 4)
    assert found["Items"] == [{"a": {"N": "1"}, "s": {"N": n}} for n in ("1", "10")]
    assert query(Select="COUNT") == {"Count": 5, "ScannedCount": 5}


def test_an_index_has_the_items_with_its_keys_and_what_is_projected() -> None:
    found = answer(
        "Query",
        TableName="orders",
        IndexName="open",
        KeyConditionExpression="k = :k",
        ExpressionAttributeValues={":k": {"S": "open"}},
    )

    expected = [order("2", "a"), order("3", "a", a={"N": "1"}), order("1", "b")]
    for item in expected:
        del item["b"]
    assert found["Items"] == expected


def test_only_a_consistent_read_sees_what_an_older_snapshot_does_not() -> None:
    older: Any = {"orders": {"1": ORDER_ITEMS[0]}}
    key = {"p": {"S": "2"}}
    index = {"IndexName": "open", "KeyConditionExpression": "k = :k"}
    values = {":k": {"S": "open"}}

    by_index = answer("Query", older, TableName="orders", **index, ExpressionAttributeValues=values)

    assert answer("GetItem", older, TableName="orders", Key=key) == {}
    assert "Item" in answer("GetItem", older, TableName="orders", Key=key, ConsistentRead=True)
    assert by_index["Count"] == 1
    assert answer("Scan", older, TableName="orders")["Count"] == 1
    assert answer("Scan", older, TableName="orders", ConsistentRead=True)["Count"] == 4
    get = {"Get": {"TableName": "orders", "Key": key}}
    assert answer("TransactGetItems", older, TransactItems=[get]) == {
        "Responses": [{"Item": ORDER_ITEMS[1]}]
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"condition": "s = :n", "values": {":n": {"N": "1"}}}, "missed key schema element: p"),
        ({"condition": "p < :p"}, "Query key condition not supported"),
        ({"condition": "p = :p OR s = :p"}, "Invalid operator used in KeyConditionExpression: OR"),
        ({"condition": "p = :p AND a = :p"}, "Query condition missed key schema element: s"),
        ({"condition": "p = :p AND p = :p"}, "must only contain one condition per key"),
        ({"condition": "p = s AND p = :p"}, "Multiple attribute names used in one condition"),
        ({"condition": "p.x = :p"}, "cannot have conditions on nested attributes"),
        ({"condition": "p = :p AND s = :p"}, "parameter type does not match schema type"),
        ({"condition": "p = :e", "values": {":e": {"S": ""}}}, "an empty string value. Key: p"),
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"Limit": 0}, "Member must have value greater than or equal to 1"),
        ({"ExclusiveStartKey": {"p": {"S": "A"}}}, "The provided starting key is invalid"),
        ({"ExclusiveStartKey": turn(1) | {"a": {"S": "x"}}}, "The provided starting key is"),
        ({"ExclusiveStartKey": {"p": {"S": "B"}, "s": {"N": "1"}}}, "is outside query boundaries"),
        ({"FilterExpression": "s = :p"}, "Filter Expression can only contain non-primary key"),
        ({"Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or Projection"),
        ({"Select": "COUNT", "ProjectionExpression": "a"}, "to get only the Count"),
        ({"Select": "ALL_PROJECTED_ATTRIBUTES"}, "only when Querying using an IndexName"),
    ],
)
def test_a_query_that_is_not_valid(given: Any, message: str) -> None:
    error = query(**given)

    assert error.startswith("ValidationException: ")
    assert message in error


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"ConsistentRead": True},
            "reads are not supported on global secondary indexes",
        ),
        ({"Select": "ALL_ATTRIBUTES"}, "because its projection type is not ALL"),
    ],
)
def test_what_a_global_index_cannot(given: Any, message: str) -> None:
    error = answer("Scan", TableName="orders", IndexName="open", **given)

    assert message in error


def test_a_local_index_is_read_consistently() -> None:
    found = query(IndexName="late", ConsistentRead=True)

    assert found["Count"] == 0


def test_a_batch_reads_what_is_there_and_writes_without_conditions() -> None:
    keys = [{"sku": {"S": sku}} for sku in ("TEA", "MILK")]
    milk = {"sku": {"S": "MILK"}}
    writes = [{"DeleteRequest": {"Key": keys[0]}}, {"PutRequest": {"Item": milk}}]

    read = answer("BatchGetItem", RequestItems={"stock": {"Keys": keys}})
    outcome = DynamoDB([STOCK]).call("BatchWriteItem", {"RequestItems": {"stock": writes}}, ITEMS)

    assert read["Responses"] == {"stock": [ITEMS["stock"]["TEA"]]}
    assert outcome.changes == (("stock", "TEA", None), ("stock", "MILK", milk))
    assert outcome.answer.output == {"UnprocessedItems": {}}


def test_a_batch_reads_an_older_snapshot_unless_it_asks_for_the_newest() -> None:
    older: Any = {"stock": {}}
    keys = [{"sku": {"S": "TEA"}}]

    old = answer("BatchGetItem", older, RequestItems={"stock": {"Keys": keys}})
    new = answer(
        "BatchGetItem", older, RequestItems={"stock": {"Keys": keys, "ConsistentRead": True}}
    )

    assert (old["Responses"], len(new["Responses"]["stock"])) == ({"stock": []}, 1)


@pytest.mark.parametrize("count", [0, 2, 101])
def test_a_batch_of_reads_is_limited_and_has_no_key_twice(count: int) -> None:
    keys = [{"sku": {"S": "TEA"}}] * count

    error = answer("BatchGetItem", RequestItems={"stock": {"Keys": keys}})

    assert error.startswith("ValidationException: ")
    assert ("duplicates" in error) == (count == 2)


@pytest.mark.parametrize("count", [0, 2, 26])
def test_a_batch_is_limited_and_has_no_key_twice(count: int) -> None:
    writes = [{"DeleteRequest": {"Key": {"sku": {"S": "TEA"}}}}] * count

    error = answer("BatchWriteItem", RequestItems={"stock": writes})

    assert error.startswith("ValidationException: ")


TAKE = {
    "Update": {
        "TableName": "stock",
        "Key": {"sku": {"S": "TEA"}},
        "UpdateExpression": "SET n = n - :u",
        "ConditionExpression": "n >= :u",
        "ExpressionAttributeValues": {":u": {"N": "2"}},
    }
}
NEW = {
    "Put": {
        "TableName": "orders",
        "Item": {"p": {"S": "9"}},
        "ConditionExpression": "attribute_not_exists(p)",
    }
}


def check(condition: str, key: str = "1", **given: Any) -> Any:
    """Return the check of an order in a transaction."""
    one = {"TableName": "orders", "Key": {"p": {"S": key}}, "ConditionExpression": condition}
    return {"ConditionCheck": {**one, **given}}


def transact(*actions: Any, token: str = "any") -> Any:
    """Return the outcome of a transaction."""
    parameters = {"TransactItems": list(actions), "ClientRequestToken": token}
    return DynamoDB([ORDERS, TURNS, STOCK]).call("TransactWriteItems", parameters, ITEMS)


def test_a_transaction_makes_all_its_writes() -> None:
    delete = {"Delete": {"TableName": "orders", "Key": {"p": {"S": "4"}}}}

    outcome = transact(TAKE, NEW, check("attribute_exists(k)"), delete)

    assert outcome.changes == (
        ("stock", "TEA", {"sku": {"S": "TEA"}, "n": {"N": "1"}}),
        ("orders", "9", {"p": {"S": "9"}}),
        ("orders", "4", None),
    )


def test_a_check_of_what_is_not_there_makes_nothing() -> None:
    assert transact(check("attribute_not_exists(p)", "none")).changes == ()


def test_a_transaction_is_cancelled_with_a_reason_for_each_of_its_items() -> None:
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    asks = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    outcome = transact(
        TAKE, check("a = b"), check("a = b", "2", **asks), check("a = b", "none", **asks)
    )

    failure = outcome.answer.failure
    assert outcome.changes == ()
    assert (failure.code, failure.kind) == ("TransactionCanceledException", "aws")
    assert failure.message.endswith("[None, " + ", ".join(["ConditionalCheckFailed"] * 3) + "]")
    assert failure.response["CancellationReasons"] == [
        {"Code": "None"},
        failed,
        {**failed, "Item": ORDER_ITEMS[1]},
        failed,
    ]


def test_what_only_one_item_cannot_is_its_reason_and_a_failed_condition_comes_first() -> None:
    name = {"TableName": "orders", "Key": {"p": {"S": "4"}}, "UpdateExpression": "SET a = b"}
    wrong_key = {"Delete": {"TableName": "stock", "Key": {"sku": {"N": "1"}}}}

    of_expression = transact({"Update": name}, check("a = b"))
    of_key = transact(check("a = b"), wrong_key, {"Put": {"TableName": "stock", "Item": wrong_key}})
    of_condition = transact({"Update": {**name, "ConditionExpression": "a = b"}})

    codes = [
        [reason["Code"] for reason in outcome.answer.failure.response["CancellationReasons"]]
        for outcome in (of_expression, of_condition)
    ]
    assert codes == [["ValidationError", "ConditionalCheckFailed"], ["ConditionalCheckFailed"]]
    assert of_key.answer.failure is not None


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([], "greater than or equal to 1"),
        ([check("a = b", str(number)) for number in range(101)], "less than or equal to 100"),
        ([TAKE, TAKE], "cannot include multiple operations on one item"),
        ([TAKE, check("a = #b")], "attribute name: #b"),
        ([{**TAKE, **NEW}], "can only contain one of Check, Put, Update or Delete"),
        ([{"ConditionCheck": {"TableName": "orders", "Key": {"p": {"S": "1"}}}}], "not be null"),
        ([check("a = b", "")], "empty string value. Key: p"),
        ([{"Delete": {"TableName": "none", "Key": {"p": {"S": "1"}}}}], "resource not found"),
    ],
)
def test_a_transaction_that_is_not_valid(actions: Any, message: str) -> None:
    failure = transact(*actions).answer.failure

    assert message in failure.message
    assert failure.code in ("ValidationException", "ResourceNotFoundException")


def test_a_token_has_at_most_36_characters() -> None:
    assert transact(NEW, token="x" * 36).changes
    assert "less than or equal to 36" in transact(NEW, token="x" * 37).answer.failure.message

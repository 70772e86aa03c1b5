"""Conditional writes: what they ask of DynamoDB, what they try again, and what is an error."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from explorer.memory import MemoryDynamoDB
from plumbing.attributes import attributes
from plumbing.conditional_write import (
    ConditionFailed,
    Update,
    put_new,
    query,
    read,
    transact,
    write,
)
from tests.world import TABLES

UPDATE = Update(
    table="shelves",
    key={"shelf": "A"},
    change="SET #full = :full",
    condition="attribute_exists(#shelf)",
    names={"#full": "full", "#shelf": "shelf"},
    values={":full": True},
)
EXCEPTIONS: Any = MemoryDynamoDB({}).exceptions
STORED = attributes({"shelf": "A", "full": False})


class Recording:
    """A client that writes down each call, and raises the errors that it is given, one by one."""

    exceptions = EXCEPTIONS

    def __init__(self, *errors: Exception, **response: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self._errors, self._response = list(errors), response

    def __getattr__(self, operation: str) -> Any:
        def call(**asked: Any) -> Any:
            self.asked.append(asked)
            if self._errors:
                raise self._errors.pop(0)
            return self._response

        return call


def _error(code: str, *reasons: dict[str, Any]) -> ClientError:
    kinds: dict[str, type[ClientError]] = {
        "TransactionCanceledException": EXCEPTIONS.TransactionCanceledException,
        "ConditionalCheckFailedException": EXCEPTIONS.ConditionalCheckFailedException,
    }
    answer: Any = {"Error": {"Code": code, "Message": code}}
    if reasons:
        answer["CancellationReasons"] = list(reasons)
    return kinds.get(code, ClientError)(answer, "UpdateItem")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses between tries, each as long as it can be: from 0 to that."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    monkeypatch.setattr("random.uniform", lambda low, high: low + high)
    return found


def test_a_write_asks_for_the_item_that_refuses_it() -> None:
    client: Any = Recording()

    write(client, UPDATE)
    transact(client, [UPDATE])
    put_new(client, "shelves", "shelf", {"shelf": "A"})

    one, together, new = client.asked
    assert one == {
        "TableName": "shelves",
        "Key": {"shelf": {"S": "A"}},
        "UpdateExpression": "SET #full = :full",
        "ConditionExpression": "attribute_exists(#shelf)",
        "ExpressionAttributeNames": {"#full": "full", "#shelf": "shelf"},
        "ExpressionAttributeValues": {":full": {"BOOL": True}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    assert together == {"TransactItems": [{"Update": one}]}
    assert new == {
        "TableName": "shelves",
        "Item": {"shelf": {"S": "A"}},
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "shelf"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_an_update_without_values_sends_none() -> None:
    client: Any = Recording()

    write(
        client,
        Update(
            **{name: getattr(UPDATE, name) for name in UPDATE.__struct_fields__} | {"values": {}}
        ),
    )

    assert "ExpressionAttributeValues" not in client.asked[0]


def test_a_read_is_strongly_consistent() -> None:
    client: Any = Recording(Item=STORED)

    item = read(client, "shelves", {"shelf": "A"})

    assert item == {"shelf": "A", "full": False}
    assert client.asked == [
        {"TableName": "shelves", "Key": {"shelf": {"S": "A"}}, "ConsistentRead": True}
    ]


def test_a_query_goes_on_page_by_page_after_the_last_key() -> None:
    client: Any = MemoryDynamoDB(TABLES)
    for number in range(5):
        item = {"orderId": f"{number}", "openShard": "a", "createdAt": "2026"}
        client.tables["orders"][item["orderId"]] = attributes(item)

    found = query(client, "orders", "open", ("openShard", "a"), ("createdAt", "2", "3"), page=2)

    assert [item["orderId"] for item in found] == ["0", "1", "2", "3", "4"]
    assert len(client.calls) == 3


def test_a_query_asks_for_what_is_between_in_pages_of_that_size() -> None:
    client: Any = Recording(Items=[])
    after = {"orderId": "7", "openShard": "a", "createdAt": "2026"}

    found = query(client, "orders", "open", ("openShard", "a"), ("createdAt", "2", "3"), 9, after)

    assert list(found) == []
    [asked] = client.asked
    assert (asked["Limit"], asked["IndexName"]) == (9, "open")
    assert asked["ExclusiveStartKey"] == attributes(after)
    assert asked["ExpressionAttributeValues"] == attributes(
        {":partition": "a", ":low": "2", ":high": "3"}
    )


CONFLICT = _error("TransactionConflictException")
CONFLICT_IN_TRANSACTION = _error(
    "TransactionCanceledException", {"Code": "None"}, {"Code": "TransactionConflict"}
)


@pytest.mark.parametrize("conflict", [CONFLICT, CONFLICT_IN_TRANSACTION])
@pytest.mark.parametrize("conflicts", [1, 7])
def test_a_conflict_is_tried_again_after_pauses_that_double(
    pauses: list[float], conflict: ClientError, conflicts: int
) -> None:
    client: Any = Recording(*[conflict] * conflicts)

    assert write(client, UPDATE) is None

    assert len(client.asked) == conflicts + 1
    assert pauses == [0.02 * 2**number for number in range(conflicts)]


@pytest.mark.parametrize("call", [write, lambda client, update: transact(client, [update] * 2)])
def test_a_conflict_on_the_eighth_try_is_an_error_and_no_write(call: Any) -> None:
    client: Any = Recording(*[CONFLICT_IN_TRANSACTION] * 8)

    with pytest.raises(ClientError, match="TransactionCanceled"):
        call(client, UPDATE)

    assert len(client.asked) == 8


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_another_error_is_not_tried_again(code: str) -> None:
    client: Any = Recording(_error(code))

    with pytest.raises(ClientError, match=code):
        write(client, UPDATE)

    assert len(client.asked) == 1


@pytest.mark.parametrize(
    "code", ["ThrottlingError", "ProvisionedThroughputExceeded", "ValidationError"]
)
@pytest.mark.parametrize("beside", ["None", "ConditionalCheckFailed"])
def test_a_transaction_that_is_throttled_is_an_error_and_no_refusal(code: str, beside: str) -> None:
    client: Any = Recording(
        _error("TransactionCanceledException", {"Code": beside}, {"Code": code})
    )

    with pytest.raises(ClientError, match="TransactionCanceled"):
        transact(client, [UPDATE, UPDATE])

    assert len(client.asked) == 1


def test_a_refused_transaction_has_one_result_for_each_update_in_order() -> None:
    client: Any = Recording(
        _error(
            "TransactionCanceledException",
            {"Code": "None"},
            {"Code": "ConditionalCheckFailed", "Item": STORED},
            {"Code": "ConditionalCheckFailed"},
        )
    )

    results = transact(client, [UPDATE] * 3)

    assert results == [
        None,
        ConditionFailed({"shelf": "A", "full": False}),
        ConditionFailed(None),
    ]


@pytest.mark.parametrize("stored", [STORED, None])
def test_a_refused_write_has_the_item_that_is_stored(stored: Any) -> None:
    error = _error("ConditionalCheckFailedException")
    if stored:
        error.response["Item"] = stored  # type: ignore[typeddict-unknown-key]
    expected = ConditionFailed({"shelf": "A", "full": False} if stored else None)

    clients: list[Any] = [Recording(error), Recording(error)]

    assert write(clients[0], UPDATE) == expected
    assert put_new(clients[1], "shelves", "shelf", {"shelf": "A"}) == expected

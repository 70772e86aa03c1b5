"""The explorer's DynamoDB answers as the emulator's does, to calls of every form by chance.

Where the emulator answers otherwise than AWS, AWS is followed. LIES has each of these with the
source that says what AWS does; a call that cannot meet one has to have the same answer.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness.connect import session
from harness.environment import Environment
from tests.e2e.both import Both, create_tables
from tests.e2e.dice import TABLES, Request, item, scalar

PROJECTION = "a projection of a transaction is not checked, or is an error of the service"
TESTS = "ScyllaDB, test/alternator/"
LIES = {
    "two that are not there are equal": TESTS + "test_condition_expression.py: an attribute that "
    "is not there equals nothing and differs from everything, another one included",
    "a prefix of what is no string is an error": TESTS + "test_condition_expression.py: only a "
    "given value of another type is an error, a stored one fails the condition",
    "bytes contain no bytes": TESTS + "test_condition_expression.py: contains() finds bytes",
    "a number has a size": TESTS + "test_condition_expression.py: it has none",
    "a removal makes an item": TESTS + "test_item.py: an update that only removes makes none",
    "a document that is not there is no error, or another one": TESTS
    + "test_update_expression.py: the path is not valid; places in a list are those before the "
    "update, and what is beyond its end is appended in the order of the places",
    "what is no number can be added to": TESTS + "test_update_expression.py: it is an error",
    "what is no list can be appended to": TESTS + "test_update_expression.py: it is an error",
    "an updated element of a list is its whole attribute": TESTS + "test_returnvalues.py: what is "
    "returned is the element alone, in what it is in",
    "what has no order can be compared": TESTS + "test_condition_expression.py: a given value that "
    "has none is an error",
    "one place can be changed twice": TESTS + "test_update_expression.py: it is an error",
    PROJECTION: TESTS + "test_transact.py: names that are not used, and paths that overlap, are "
    "an error of the request",
    "a filter may be on a key": "Developer guide, Filter expressions for Query: it cannot contain "
    "partition key or sort key attributes",
}
KEYS = [{"p": {"S": p}, "s": {"N": s}} for p in "AB" for s in ("1", "2", "10")]
IDS = [{"id": {"S": one}} for one in "xyz"]
THINGS, PLAIN = "memory-things", "memory-plain"


@pytest.fixture
def both(saga: Environment) -> Iterator[Both]:
    client: Any = session().client("dynamodb", endpoint_url=saga.endpoint)
    create_tables(client, TABLES)
    yield Both(client, TABLES)
    for table in TABLES:
        client.delete_table(TableName=table.name)


@pytest.mark.parametrize("saga", ["processes"], indirect=True, scope="session")
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_calls_by_chance_have_the_same_answers(both: Both, seed: int) -> None:
    dice = random.Random(seed)
    operations = [*[_put, _update] * 3, _delete, _get, *[_query] * 3, _scan, _transact, _transact]
    operations += [_batch_write, _batch_get, _transact_get]

    for _ in range(1000):
        request = Request(dice)
        method, parameters = dice.choice(operations)(request)
        both.doubts = request.doubts
        with suppress(ClientError):
            getattr(both, method)(**parameters)
    both.doubts = set()
    both.check_items()

    done = Counter(both.answers)
    assert both.met.keys() <= LIES.keys()
    assert sum(both.met.values()) < 200, both.met
    assert {answer for answer in done if "done" in answer} == {
        f"{method} done"
        for method in (
            *("put_item", "update_item", "delete_item", "get_item", "query", "scan"),
            *("transact_write_items", "transact_get_items", "batch_write_item", "batch_get_item"),
        )
    }
    assert done["update_item ConditionalCheckFailedException"] > 20
    assert done["update_item ValidationException"] > 20
    assert done["transact_write_items TransactionCanceledException"] > 20


def _table(request: Request) -> tuple[str, dict[str, Any]]:
    if request.chance(0.25):
        return PLAIN, request.dice.choice(IDS)
    return THINGS, request.dice.choice(KEYS)


def _wrong(request: Request, key: dict[str, Any]) -> dict[str, Any]:
    """Return a key, at times one that is none."""
    if request.chance(0.96):
        return key
    wrong = [{"p": {"S": "A"}}, {**key, "more": {"S": "any"}}, {**key, "p": {"N": "1"}}]
    return request.dice.choice([*wrong, {name: {"S": ""} for name in key}])


def _conditional(request: Request, often: float = 0.6) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if request.chance(often):
        given["ConditionExpression"] = request.condition()
    if request.chance(0.5):
        given["ReturnValuesOnConditionCheckFailure"] = request.dice.choice(["ALL_OLD", "NONE"])
    return given


def _put(request: Request) -> tuple[str, dict[str, Any]]:
    table, key = _table(request)
    given = _conditional(request, 0.4)
    if request.chance(0.3):
        given["ReturnValues"] = request.dice.choice(["ALL_OLD", "NONE", "ALL_NEW"])
    put = item(request.dice) | _wrong(request, key)
    return "put_item", request.parameters(TableName=table, Item=put, **given)


def _update(request: Request) -> tuple[str, dict[str, Any]]:
    table, key = _table(request)
    given = _conditional(request)
    if request.chance(0.95):
        given["UpdateExpression"] = request.update()
    if request.chance(0.6):
        returns = ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]
        given["ReturnValues"] = request.dice.choice(returns)
        if "[" in given.get("UpdateExpression", ""):
            request.doubts.add("an updated element of a list is its whole attribute")
    return "update_item", request.parameters(TableName=table, Key=_wrong(request, key), **given)


def _delete(request: Request) -> tuple[str, dict[str, Any]]:
    table, key = _table(request)
    given = _conditional(request)
    if request.chance(0.5):
        given["ReturnValues"] = "ALL_OLD"
    return "delete_item", request.parameters(TableName=table, Key=_wrong(request, key), **given)


def _get(request: Request) -> tuple[str, dict[str, Any]]:
    table, key = _table(request)
    given = {"ProjectionExpression": request.projection()} if request.chance(0.6) else {}
    if request.chance(0.05):
        return "get_item", {"TableName": "none", "Key": key}
    parameters = request.parameters(TableName=table, Key=_wrong(request, key), **given)
    return "get_item", parameters


def _query(request: Request) -> tuple[str, dict[str, Any]]:
    dice = request.dice
    indexes = [(None, "p", "s"), (None, "p", "s"), ("kinds", "k", "n"), ("turns", "p", "t")]
    index, partition, sort = dice.choice(indexes)
    given: dict[str, Any] = {"IndexName": index} if index else {}
    wanted = {"S": dice.choice("AB" if partition == "p" else "ab")}
    condition = f"{partition} = {request.value(wanted)}"
    if request.chance(0.6):
        condition += f" AND {_sort_condition(request, sort)}"
    if request.chance(0.4):
        given["Limit"] = dice.randint(1, 3)
    if request.chance(0.5):
        given["ScanIndexForward"] = request.chance(0.5)
    if request.chance(0.5):
        given["ConsistentRead"] = True
    if request.chance(0.4):
        given["FilterExpression"] = request.condition(1)
        request.doubts.add("a filter may be on a key")
    if index != "kinds" and request.chance(0.3):
        given["ProjectionExpression"] = request.projection()
    elif request.chance(0.3):
        given["Select"] = dice.choice(["COUNT", "ALL_PROJECTED_ATTRIBUTES"])
    parameters = request.parameters(TableName=THINGS, KeyConditionExpression=condition, **given)
    return "query", parameters


def _sort_condition(request: Request, sort: str) -> str:
    dice = request.dice
    values: list[Any] = [{"N": str(n)} for n in range(11)]
    if sort == "t":
        values = [{"S": one} for one in "abc"]
    if request.chance(0.05):
        return f"{sort} = {request.value(scalar(dice))}"
    if sort == "t" and request.chance(0.3):
        return f"begins_with({sort}, {request.value(dice.choice(values))})"
    if request.chance(0.3):
        low, high = sorted(dice.choices(range(len(values)), k=2))
        return f"{sort} between {request.value(values[low])} and {request.value(values[high])}"
    operator = dice.choice(["=", "<", "<=", ">", ">="])
    return f"{sort} {operator} {request.value(dice.choice(values))}"


def _scan(request: Request) -> tuple[str, dict[str, Any]]:
    given = {"FilterExpression": request.condition(1)} if request.chance(0.7) else {}
    if request.chance(0.3):
        given["ProjectionExpression"] = request.projection()
    return "scan", request.parameters(TableName=request.dice.choice([THINGS, PLAIN]), **given)


def _transact(request: Request) -> tuple[str, dict[str, Any]]:
    places = request.dice.sample(
        [(THINGS, key) for key in KEYS] + [(PLAIN, key) for key in IDS], request.dice.randint(1, 4)
    )
    if request.chance(0.05):
        places.append(places[0])
    return "transact_write_items", {
        "TransactItems": [_action(request, table, key) for table, key in places]
    }


def _action(request: Request, table: str, key: dict[str, Any]) -> dict[str, Any]:
    one = Request(request.dice, doubts=request.doubts)
    kind = one.dice.choice(["Put", "Update", "Delete", "ConditionCheck"])
    given = _conditional(one, 1.0 if kind == "ConditionCheck" else 0.4)
    if kind == "Update":
        given["UpdateExpression"] = one.update()
    if kind == "Put":
        given["Item"] = item(one.dice) | key
    else:
        given["Key"] = key
    return {kind: one.parameters(TableName=table, **given)}


def _batch_write(request: Request) -> tuple[str, dict[str, Any]]:
    dice = request.dice
    keys = dice.sample(KEYS, dice.randint(1, 3))
    if request.chance(0.1):
        keys.append(keys[0])
    writes: list[Any] = [
        {"PutRequest": {"Item": item(dice) | key}}
        if request.chance(0.6)
        else {"DeleteRequest": {"Key": _wrong(request, key)}}
        for key in keys
    ]
    return "batch_write_item", {"RequestItems": {THINGS: writes}}


def _batch_get(request: Request) -> tuple[str, dict[str, Any]]:
    keys = [_wrong(request, key) for key in request.dice.sample(KEYS, request.dice.randint(1, 4))]
    if request.chance(0.1):
        keys.append(keys[0])
    given = {"ProjectionExpression": request.projection()} if request.chance(0.3) else {}
    names = {"ExpressionAttributeNames": request.names} if request.names else {}
    plain = {"Keys": IDS, "ConsistentRead": True}
    return "batch_get_item", {
        "RequestItems": {THINGS: {"Keys": keys, **given, **names}, PLAIN: plain}
    }


def _transact_get(request: Request) -> tuple[str, dict[str, Any]]:
    gets = []
    for key in request.dice.sample(KEYS, request.dice.randint(1, 3)):
        one = Request(request.dice)
        given = {"ProjectionExpression": one.projection()} if one.chance(0.4) else {}
        get = one.parameters(TableName=THINGS, Key=key, **given)
        if {"#", ","} & set(get.get("ProjectionExpression", "")) or "#unused" in str(get):
            request.doubts.add(PROJECTION)
        gets.append({"Get": get})
    return "transact_get_items", {"TransactItems": gets}

"""DynamoDB as the explorer knows it: each rule of its operations, and each error."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from explorer.app import Index, Table
from explorer.calls import UnknownCallError
from explorer.dynamodb import DynamoDB, Outcome, key_text

THINGS = Table(
    "things",
    "p",
    indexes={"kinds": Index("k", "n", ("a",)), "all": Index("k")},
    types={"n": "N"},
)
TURNS = Table("turns", "p", "s", {"late": Index("p", "t", local=True)}, {"s": "N"})
ITEM: Any = {
    "p": {"S": "1"},
    "k": {"S": "one"},
    "n": {"N": "5"},
    "a": {"S": "ab"},
    "u": {"SS": ["x", "y"]},
    "l": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]},
    "d": {"M": {"x": {"N": "7"}, "y": {"L": [{"S": "z"}]}}},
}
KEY = {"p": {"S": "1"}}


def call(operation: str, stored: Any = None, /, **parameters: Any) -> Outcome:
    """Call with the item in the table, unless others are given."""
    items = stored if stored is not None else {"things": {"1": ITEM}}
    return DynamoDB([THINGS, TURNS]).call(operation, {"TableName": "things", **parameters}, items)


def output(operation: str, stored: Any = None, /, **parameters: Any) -> Any:
    """Return the output of a call that succeeds."""
    answer = call(operation, stored, **parameters).answer
    assert answer.failure is None, answer.failure
    return answer.output


def refused(operation: str, stored: Any = None, /, **parameters: Any) -> str:
    """Return the code and the message of the error of a call that changes nothing."""
    outcome = call(operation, stored, **parameters)
    assert outcome.changes == ()
    assert outcome.answer.failure is not None
    return f"{outcome.answer.failure.code}: {outcome.answer.failure.message}"


def updated(expression: str, values: Any = None, item: Any = ITEM, **names: str) -> Any:
    """Return the item after an update, None where nothing changed."""
    given: Any = {"ExpressionAttributeValues": values} if values else {}
    if names:
        given["ExpressionAttributeNames"] = {f"#{name}": stands for name, stands in names.items()}
    stored = {"things": {"1": item} if item else {}}
    outcome = call("UpdateItem", stored, Key=KEY, UpdateExpression=expression, **given)
    assert outcome.answer.failure is None, outcome.answer.failure
    return outcome.changes[0][2] if outcome.changes else None


def test_a_call_changes_nothing_that_it_is_given() -> None:
    items: Any = {"things": {"1": copy.deepcopy(ITEM)}}
    values = {":one": {"N": "1"}, ":set": {"SS": ["x"]}, ":new": {"L": [{"N": "1.0"}]}}
    before = copy.deepcopy((items, values))

    updated("SET l[1] = :one, d.y[0] = :new REMOVE l[0] ADD u :set", values, items["things"]["1"])

    assert (items, values) == before


def test_a_change_names_its_table_and_key_and_what_does_not_differ_is_none() -> None:
    put = call("PutItem", Item={**ITEM, "n": {"N": "6"}})
    same = call("PutItem", Item={**ITEM, "n": {"N": "5.0"}, "u": {"SS": ["y", "x"]}})
    deleted = call("DeleteItem", Key=KEY)
    gone = call("DeleteItem", {}, Key=KEY)

    assert put.changes == (("things", "1", {**ITEM, "n": {"N": "6"}}),)
    assert (same.changes, gone.changes) == ((), ())
    assert deleted.changes == (("things", "1", None),)


def test_the_text_of_a_key_tells_keys_apart() -> None:
    keys = [("a", "1"), ("a", "10"), ("a,1", "0")]

    texts = [key_text(TURNS, {"p": {"S": p}, "s": {"N": s}}) for p, s in keys]

    assert key_text(THINGS, ITEM) == "1"
    assert texts == ['["a", "1"]', '["a", "10"]', '["a,1", "0"]']
    assert key_text(TURNS, {"p": {"S": "a"}, "s": {"N": "1.0"}}) == texts[0]


@pytest.mark.parametrize(
    ("expression", "values", "changed"),
    [
        ("SET b = :v", {":v": {"S": "new"}}, {"b": {"S": "new"}}),
        ("set b = a", None, {"b": {"S": "ab"}}),
        ("SET a = n, n = :v", {":v": {"N": "1"}}, {"a": {"N": "5"}, "n": {"N": "1"}}),
        ("SET n = n - :v", {":v": {"N": "0.50"}}, {"n": {"N": "4.5"}}),
        ("SET n = (:v + n)", {":v": {"N": "1e2"}}, {"n": {"N": "105"}}),
        ("SET b = if_not_exists(b, :v)", {":v": {"N": "1"}}, {"b": {"N": "1"}}),
        ("SET b = if_not_exists(a, :v)", {":v": {"N": "1"}}, {"b": {"S": "ab"}}),
        (
            "SET n = if_not_exists(q, :v) + :w",
            {":v": {"N": "2"}, ":w": {"N": "4"}},
            {"n": {"N": "6"}},
        ),
        (
            "SET b = list_append(if_not_exists(b, :v), :w)",
            {":v": {"L": []}, ":w": {"L": [{"N": "1"}]}},
            {"b": {"L": [{"N": "1"}]}},
        ),
        ("SET d.x = :v", {":v": {"N": "8"}}, {"d": {"M": {**ITEM["d"]["M"], "x": {"N": "8"}}}}),
        ("SET l[1] = :v", {":v": {"N": "9"}}, {"l": {"L": [{"N": n} for n in "193"]}}),
        (
            "SET l[9] = :v, l[7] = :w",
            {":v": {"N": "9"}, ":w": {"N": "7"}},
            {"l": {"L": [{"N": n} for n in "12379"]}},
        ),
        ("REMOVE l[0], l[1]", None, {"l": {"L": [{"N": "3"}]}}),
        ("REMOVE l[0] SET l[2] = :v", {":v": {"N": "9"}}, {"l": {"L": [{"N": "2"}, {"N": "9"}]}}),
        ("REMOVE d.y[0]", None, {"d": {"M": {"x": {"N": "7"}, "y": {"L": []}}}}),
        ("ADD n :v", {":v": {"N": "-5"}}, {"n": {"N": "0"}}),
        ("ADD b :v", {":v": {"N": "2"}}, {"b": {"N": "2"}}),
        ("ADD u :v", {":v": {"SS": ["z", "x"]}}, {"u": {"SS": ["x", "y", "z"]}}),
        ("ADD b :v", {":v": {"NS": ["10", "9"]}}, {"b": {"NS": ["9", "10"]}}),
        ("DELETE u :v", {":v": {"SS": ["x", "q"]}}, {"u": {"SS": ["y"]}}),
    ],
)
def test_an_update_makes_its_changes_on_the_item_as_it_was(
    expression: str, values: Any, changed: Any
) -> None:
    assert updated(expression, values) == {**ITEM, **changed}


def test_what_is_removed_is_gone_and_a_set_without_members_too() -> None:
    without = {name: value for name, value in ITEM.items() if name not in ("a", "u")}

    assert updated("REMOVE a, q DELETE u :v", {":v": {"SS": ["x", "y"]}}) == without


@pytest.mark.parametrize("expression", ["REMOVE q", "REMOVE d.q, l[9]", "SET n = n"])
def test_an_update_without_effect_changes_nothing(expression: str) -> None:
    assert updated(expression) is None


def test_an_update_makes_an_item_unless_it_only_removes() -> None:
    assert updated("SET n = :v", {":v": {"N": "1"}}, None) == {**KEY, "n": {"N": "1"}}
    assert updated("REMOVE n, d.x", None, None) is None
    assert updated("SET n = :v REMOVE d.x", {":v": {"N": "1"}}, None) == {**KEY, "n": {"N": "1"}}
    assert call("UpdateItem", {}, Key=KEY).changes == (("things", "1", KEY),)


def test_placeholders_stand_for_names_that_an_expression_could_not_have() -> None:
    changed = updated("SET #a = :v, d.#b = :v", {":v": {"N": "1"}}, a="status", b="a.b")

    assert changed["status"] == {"N": "1"}
    assert changed["d"]["M"]["a.b"] == {"N": "1"}


def test_a_condition_may_stand_in_parentheses_as_a_whole() -> None:
    given = {":v": {"N": "5"}, ":w": {"N": "6"}}

    answered = call(
        "DeleteItem",
        Key=KEY,
        ConditionExpression="(n = :v OR n = :w)",
        ExpressionAttributeValues=given,
    )

    assert answered.changes


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("n = :v", {":v": {"N": "5.0"}}),
        (":v <= n", {":v": {"N": "5"}}),
        ("n < :v", {":v": {"N": "10"}}),
        ("n <> :v AND q <> :v AND q <> z", {":v": {"S": "5"}}),
        ("NOT q = z AND NOT q < z", None),
        ("n between :v AND :w AND a > :x", {":v": {"N": "1"}, ":w": {"N": "5"}, ":x": {"S": "a"}}),
        ("n in (:v, :w)", {":v": {"S": "5"}, ":w": {"N": "5"}}),
        ("q = :v or n = :w", {":v": {"N": "1"}, ":w": {"N": "5"}}),
        ("n = :w OR n = :v AND n = :v", {":v": {"N": "1"}, ":w": {"N": "5"}}),
        ("NOT (n = :v OR (a = :v))", {":v": {"N": "1"}}),
        ("NOT NOT (a) = (:v)", {":v": {"S": "ab"}}),
        ("NOT n BETWEEN :v AND :w", {":v": {"N": "6"}, ":w": {"N": "7"}}),
        ("attribute_exists(d.y[0]) AND attribute_not_exists(d.y[1])", None),
        ("attribute_not_exists(a.x) AND attribute_not_exists(a[0])", None),
        ("attribute_type(u, :v)", {":v": {"S": "SS"}}),
        ("begins_with(a, :v) AND begins_with(:w, a)", {":v": {"S": "a"}, ":w": {"S": "abc"}}),
        ("NOT begins_with(n, :v)", {":v": {"S": "5"}}),
        ("contains(a, :v) AND contains(u, :w)", {":v": {"S": "b"}, ":w": {"S": "x"}}),
        ("contains(l, :v) AND NOT contains(l, :w)", {":v": {"N": "2"}, ":w": {"S": "2"}}),
        ("size(a) = :v AND size(u) = :v AND size(d) = size(u)", {":v": {"N": "2"}}),
        ("NOT size(n) = :v AND size(l) > :v", {":v": {"N": "1"}}),
        ("u = :v", {":v": {"SS": ["y", "x"]}}),
        ("d = :v", {":v": {"M": {"y": {"L": [{"S": "z"}]}, "x": {"N": "7.0"}}}}),
    ],
)
def test_a_condition_that_holds(condition: str, values: Any) -> None:
    given = {"ExpressionAttributeValues": values} if values else {}

    assert call("DeleteItem", Key=KEY, ConditionExpression=condition, **given).changes
    negated = f"NOT ({condition})"
    assert refused("DeleteItem", Key=KEY, ConditionExpression=negated, **given) == (
        "ConditionalCheckFailedException: The conditional request failed"
    )


@pytest.mark.parametrize(("wanted", "item"), [("ALL_OLD", {"Item": ITEM}), ("NONE", {})])
def test_a_refusal_has_the_item_only_where_it_is_asked_for(wanted: str, item: Any) -> None:
    parameters: Any = {"Key": KEY, "ConditionExpression": "attribute_exists(q)"}

    failure = call(
        "UpdateItem", **parameters, ReturnValuesOnConditionCheckFailure=wanted
    ).answer.failure

    assert failure is not None
    assert failure.response == item


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", ITEM),
        ("ALL_NEW", updated("SET n = :v, d.q = :v REMOVE l[1]", {":v": {"N": "1"}})),
        ("UPDATED_OLD", {"n": {"N": "5"}, "l": {"L": [{"N": "2"}]}}),
        ("UPDATED_NEW", {"n": {"N": "1"}, "d": {"M": {"q": {"N": "1"}}}, "l": {"L": [{"N": "3"}]}}),
    ],
)
def test_an_update_returns_what_is_asked_for(returned: str, expected: Any) -> None:
    answer = output(
        "UpdateItem",
        Key=KEY,
        UpdateExpression="SET n = :v, d.q = :v REMOVE l[1]",
        ExpressionAttributeValues={":v": {"N": "1"}},
        ReturnValues=returned,
    )

    assert answer.get("Attributes") == expected


def test_a_projection_has_what_is_there_inside_what_it_is_in() -> None:
    places = "d.y[0], l[2], l[0], d.q, q, #n"

    item = output(
        "GetItem", Key=KEY, ProjectionExpression=places, ExpressionAttributeNames={"#n": "n"}
    )["Item"]

    assert item == {
        "d": {"M": {"y": {"L": [{"S": "z"}]}}},
        "l": {"L": [{"N": "1"}, {"N": "3"}]},
        "n": {"N": "5"},
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Key": {}}, "The provided key element does not match the schema"),
        ({"Key": {"p": {"N": "1"}}}, "The provided key element does not match the schema"),
        ({"Key": {**KEY, "n": {"N": "1"}}}, "The provided key element does not match the schema"),
        ({"Key": {"p": {"S": ""}}}, "cannot contain an empty string value. Key: p"),
        ({"Key": {"p": {"S": "x" * 2049}}}, "exceeded the size limit of 2048 bytes"),
        ({"UpdateExpression": ""}, "Invalid UpdateExpression: The expression can not be empty;"),
        ({"UpdateExpression": "PUT a = b"}, 'Syntax error; token: "PUT", near: "PUT a"'),
        ({"UpdateExpression": "SET a = b SET n = a"}, 'The "SET" section can only be used once'),
        ({"UpdateExpression": "SET a = b REMOVE a"}, "overlap with each other"),
        ({"UpdateExpression": "SET d.x = a, d[0] = a"}, "path one: [d, x], path two: [d, [0]]"),
        ({"UpdateExpression": "SET a = b + n - n"}, "Syntax error"),
        ({"UpdateExpression": "SET status = a"}, "reserved keyword; reserved keyword: status"),
        ({"UpdateExpression": "SET p = a"}, "Cannot update attribute p. This attribute is part"),
        ({"UpdateExpression": "SET a = q"}, "refers to an attribute that does not exist"),
        ({"UpdateExpression": "SET q.x = a"}, "The document path provided in the update"),
        ({"UpdateExpression": "REMOVE a[0]"}, "The document path provided in the update"),
        ({"UpdateExpression": "SET b = a + n"}, "An operand in the update expression has an"),
        ({"UpdateExpression": "SET b = list_append(a, l)"}, "An operand in the update expression"),
        ({"UpdateExpression": "SET b = list_append(list_append(l, l), l)"}, "to be used this way"),
        ({"UpdateExpression": "SET b = list_append(l)"}, "number of operands: 1"),
        ({"UpdateExpression": "SET b = size(l)"}, "not allowed to be used this way"),
        ({"UpdateExpression": "SET k = n"}, "Type mismatch for Index Key k Expected: S Actual: N"),
        ({"UpdateExpression": "SET a = #x"}, "is not defined; attribute name: #x"),
        ({"ConditionExpression": "a = b AND"}, 'Syntax error; token: "<EOF>", near: "AND"'),
        ({"ConditionExpression": "a"}, "Syntax error"),
        ({"ConditionExpression": "((a = b))"}, "The expression has redundant parentheses;"),
        ({"ConditionExpression": "size(a)"}, "used this way in an expression; function: size"),
        ({"ConditionExpression": "attribute_exists(a) = b"}, "function: attribute_exists"),
        ({"ConditionExpression": "contains(a, a)"}, "The first operand must be distinct"),
        ({"ConditionExpression": "a = :v"}, "is not defined; attribute value: :v"),
        ({"ReturnValues": "none"}, "Member must satisfy enum value set"),
        ({"UpdateExpression": "ADD n a"}, 'Syntax error; token: "a"'),
        ({"ConditionExpression": f"a IN ({', '.join('a' * 101)})"}, "too many operands"),
    ],
)
def test_an_update_that_is_not_valid(parameters: Any, message: str) -> None:
    error = refused("UpdateItem", **{"Key": KEY, **parameters})

    assert error.startswith("ValidationException: ")
    assert message in error


@pytest.mark.parametrize(
    ("condition", "value", "message"),
    [
        ("a < :v", {"L": []}, "operator or function: <, operand type: L"),
        ("begins_with(a, :v)", {"N": "1"}, "function: begins_with, operand type: N"),
        ("attribute_type(a, :v)", {"S": "X"}, "Invalid attribute type name found; type: X"),
        ("size(:v) = n", {"N": "1"}, "function: size, operand type: N"),
        ("a BETWEEN :v AND :v OR a = :w", {"S": "a"}, "attribute value: :w"),
        ("a = b", {"S": "a"}, "ExpressionAttributeValues unused in expressions: keys: {:v}"),
        ("a = :v", {"SS": []}, "An string set  may not be empty"),
        ("a = :v", {"SS": ["x", "x"]}, "Input collection [x, x] contains duplicates."),
        ("a = :v", {"N": "one"}, "cannot be converted to a numeric value: one"),
        ("a = :v", {"N": "1e126"}, "Number overflow."),
        ("a = :v", {"N": "1" * 39}, "more than 38 significant digits"),
        ("a = :v", {"S": "a", "N": "1"}, "must contain exactly one of the supported datatypes"),
    ],
)
def test_a_value_that_is_not_valid(condition: str, value: Any, message: str) -> None:
    error = refused(
        "DeleteItem",
        Key=KEY,
        ConditionExpression=condition,
        ExpressionAttributeValues={":v": value},
    )

    assert error.startswith("ValidationException: ")
    assert message in error


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        ("ADD a :v", {"N": "1"}, "An operand in the update expression has an incorrect data type"),
        ("DELETE a :v", {"SS": ["x"]}, "An operand in the update expression has an incorrect"),
        ("ADD b :v", {"S": "x"}, "operator: ADD, operand type: STRING"),
        ("DELETE b :v", {"N": "1"}, "operator: DELETE, operand type: NUMBER"),
        ("SET b = n + :v", {"S": "1"}, "operator or function: +, operand type: S"),
        ("SET b = list_append(l, :v)", {"S": "1"}, "function: list_append, operand type: S"),
    ],
)
def test_an_operand_that_is_not_valid(expression: str, value: Any, message: str) -> None:
    values = {":v": value}

    error = refused(
        "UpdateItem", Key=KEY, UpdateExpression=expression, ExpressionAttributeValues=values
    )

    assert message in error


def test_documents_are_at_most_32_levels_deep() -> None:
    deep: Any = {"N": "1"}
    for _ in range(31):
        deep = {"L": [deep]}

    assert call("PutItem", Item={**KEY, "a": deep}).changes
    error = refused("PutItem", Item={**KEY, "a": {"L": [deep]}})
    assert "Nesting Levels have exceeded supported limits" in error


@pytest.mark.parametrize("places", ["d, d.x", "l[0], l[0]", "d.x, d[1]"])
def test_places_of_a_projection_that_are_not_apart(places: str) -> None:
    assert "Two document paths" in refused("GetItem", Key=KEY, ProjectionExpression=places)


def test_a_put_returns_nothing_new() -> None:
    error = refused("PutItem", Item=KEY, ReturnValues="ALL_NEW")

    assert error == "ValidationException: ReturnValues can only be ALL_OLD or NONE"


def test_a_table_may_be_named_by_its_arn() -> None:
    name = "arn:aws:dynamodb:eu-west-1:123456789012:table/things"

    assert output("GetItem", TableName=name, Key=KEY) == {"Item": ITEM}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ExpressionAttributeNames": {}}, "ExpressionAttributeNames must not be empty"),
        ({"ExpressionAttributeNames": {"#a": "a"}}, "can only be specified when using expressions"),
        (
            {"ConditionExpression": "a = b", "ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames unused in expressions: keys: {#a}",
        ),
        ({"ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
    ],
)
def test_names_and_values_that_are_not_used(given: Any, message: str) -> None:
    assert message in refused("DeleteItem", Key=KEY, **given)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"n": {"N": "1"}}, "Missing the key p in the item"),
        ({"p": {"N": "1"}}, "Type mismatch for key p expected: S actual: N"),
        ({**KEY, "k": {"S": ""}}, "empty string value. IndexName: kinds, IndexKey: k"),
        ({**KEY, "k": {"N": "1"}}, "Type mismatch for Index Key k"),
        ({**KEY, "a": {"S": "x" * 409600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_an_item_that_may_not_be_put(item: Any, message: str) -> None:
    assert message in refused("PutItem", Item=item)


def test_a_sum_is_exact_to_38_digits_and_not_beyond() -> None:
    big = {"N": "1" + "0" * 37}
    values = {":v": {"N": "1"}}

    assert updated("SET n = n + :v", values, {**ITEM, "n": big})["n"] == {"N": f"1{'0' * 36}1"}
    bigger = {"things": {"1": {**ITEM, "n": {"N": "1" + "0" * 38}}}}
    expression = {"UpdateExpression": "SET n = n + :v", "ExpressionAttributeValues": values}
    assert "Number overflow" in refused("UpdateItem", bigger, Key=KEY, **expression)


def test_a_table_that_is_not_declared_is_not_found() -> None:
    error = refused("GetItem", TableName="others", Key=KEY)

    assert error == "ResourceNotFoundException: Requested resource not found"


@pytest.mark.parametrize(
    ("operation", "parameters", "named"),
    [
        ("DescribeTable", {}, "DynamoDB's DescribeTable is"),
        ("GetItem", {"Key": KEY, "AttributesToGet": ["a"]}, "GetItem with AttributesToGet is"),
        ("DeleteItem", {"Key": KEY, "Expected": {}}, "DeleteItem with Expected is"),
        ("Scan", {"Segment": 0, "TotalSegments": 2}, "Scan with Segment is"),
        (
            "GetItem",
            {"Key": KEY, "ReturnConsumedCapacity": "TOTAL"},
            "ReturnConsumedCapacity TOTAL is",
        ),
        ("DeleteItem", {"Key": KEY, "ConditionExpression": "later(a)"}, "function later is"),
    ],
)
def test_what_is_not_known_is_refused_by_name(operation: str, parameters: Any, named: str) -> None:
    with pytest.raises(UnknownCallError, match=f"{named} not known to the explorer"):
        call(operation, **parameters)

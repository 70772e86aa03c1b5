"""TransactWriteItems and TransactGetItems: all or nothing.

An error in a request is refused as a whole before anything is looked up; a key of a wrong type and
what an update's expression cannot do with the stored item is the reason of one item. By ScyllaDB's
test/alternator/test_transact.py, which says what AWS does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.calls import UnknownCallError
from explorer.dynamodb.expressions import read_expressions
from explorer.dynamodb.paths import project
from explorer.dynamodb.refusals import Refusal, cancelled, invalid
from explorer.dynamodb.tables import Items, Tables, check_known
from explorer.dynamodb.values import Item
from explorer.dynamodb.writes import KNOWN, Change, Request, Write, prepare, unfit

LIMIT = 100  # of the items of a transaction

_KNOWN_WRITE = frozenset(
    [
        "TransactItems",
        "ClientRequestToken",
        "ReturnConsumedCapacity",
        "ReturnItemCollectionMetrics",
    ]
)
_KNOWN_GET = frozenset(["TransactItems", "ReturnConsumedCapacity"])
_KNOWN_GET_ITEM = frozenset(
    ["TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames"]
)
_NONE = {"Code": "None"}


def transact_write(
    request: Request, tables: Tables, items: Items
) -> tuple[Any, tuple[Change, ...]]:
    """Make all writes or none; return the output and what they change.

    A token is accepted, and no transaction is known again by it: nothing is kept between calls.
    """
    check_known("TransactWriteItems", request, _KNOWN_WRITE)
    if len(request.get("ClientRequestToken", "")) > 36:
        raise invalid(
            "1 validation error detected: Value at 'clientRequestToken' failed to satisfy "
            "constraint: Member must have length less than or equal to 36"
        )
    writes: list[Write] = []
    wrong_keys: list[Refusal | None] = []
    for kind, action in _actions(request["TransactItems"]):
        wrong = _wrong_key(kind, action, tables)
        wrong_keys.append(wrong)
        if wrong is None:
            writes.append(prepare(kind, action, tables, items))
    _check_different([(write.keys.table.name, write.text) for write in writes])
    _cancel_invalid(wrong_keys)
    tried = [_tried(write) for write in writes]
    _cancel_invalid([_unfit(write, result) for write, result in zip(writes, tried, strict=True)])
    reasons = [_reason(write, result) for write, result in zip(writes, tried, strict=True)]
    if any(reason is not _NONE for reason in reasons):
        raise cancelled(reasons)
    changes = [
        change
        for write, result in zip(writes, tried, strict=True)
        if not isinstance(result, Refusal)
        for change in write.change(result)
    ]
    return {}, tuple(changes)


def _actions(listed: Sequence[Mapping[str, Any]]) -> list[tuple[str, Request]]:
    _check_count(listed)
    found = []
    for entry in listed:
        kinds = [kind for kind in KNOWN if kind in entry]
        if len(kinds) != 1:
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        [kind] = kinds
        action = entry[kind]
        check_known(f"TransactWriteItems' {kind}", action, KNOWN[kind])
        needed = {"ConditionCheck": "ConditionExpression", "Update": "UpdateExpression"}.get(kind)
        if needed and needed not in action:
            raise invalid(f"The {needed} of a {kind} in a transaction must not be null")
        found.append((kind, action))
    return found


def _check_count(listed: Sequence[Any]) -> None:
    if not 1 <= len(listed) <= LIMIT:
        least = f"less than or equal to {LIMIT}" if listed else "greater than or equal to 1"
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length {least}"
        )


def _check_different(keys: Sequence[tuple[str, str]]) -> None:
    if len(set(keys)) < len(keys):
        raise invalid("Transaction request cannot include multiple operations on one item")


def _wrong_key(kind: str, action: Request, tables: Tables) -> Refusal | None:
    """Return the error of a key of a wrong type, None for none."""
    keys = tables[action["TableName"]]
    if kind == "Put":
        return keys.wrong_type(action["Item"])
    if keys.wrong_type(action["Key"]):
        return invalid("The provided key element does not match the schema")
    return None


def _cancel_invalid(errors: Sequence[Refusal | None]) -> None:
    """Cancel for the first error that is one item's own; those after it are not looked for."""
    for number, error in enumerate(errors):
        if error:
            reasons = [_NONE for _ in errors]
            reasons[number] = _validation_error(error)
            raise cancelled(reasons)


def _tried(write: Write) -> Item | Refusal | None:
    """Return what a write makes of its item, or why its expression cannot."""
    if write.kind == "ConditionCheck":
        return write.stored
    try:
        result = write.result()
    except Refusal as refusal:
        return refusal
    if result is not None:
        write.keys.check_index_keys(result, updated=write.kind == "Update")
    return result


def _unfit(write: Write, result: Item | Refusal | None) -> Refusal | None:
    """Return why what a write makes may not be stored, None where it may."""
    if result is None or isinstance(result, Refusal):
        return None
    return unfit(write, result)


def _reason(write: Write, result: Item | Refusal | None) -> dict[str, Any]:
    """Return why a write is not made."""
    if not write.holds():
        item = {"Item": write.stored} if write.wants_item and write.stored else {}
        message = "The conditional request failed"
        return {"Code": "ConditionalCheckFailed", "Message": message, **item}
    return _validation_error(result) if isinstance(result, Refusal) else _NONE


def _validation_error(refusal: Refusal) -> dict[str, Any]:
    return {"Code": "ValidationError", "Message": refusal.message}


def transact_get(request: Request, tables: Tables, items: Items) -> Any:
    """Return the items of these keys, as they were at one time."""
    check_known("TransactGetItems", request, _KNOWN_GET)
    listed = request["TransactItems"]
    _check_count(listed)
    found, places = [], []
    for entry in listed:
        if entry.keys() != {"Get"}:
            raise UnknownCallError(
                f"DynamoDB's TransactGetItems with {min(entry)} is not known to the explorer"
            )
        get = entry["Get"]
        check_known("TransactGetItems' Get", get, _KNOWN_GET_ITEM)
        expressions, _ = read_expressions(get)
        keys = tables[get["TableName"]]
        _, text = keys.key(get["Key"])
        places.append((keys.table.name, text))
        item = items.get(keys.table.name, {}).get(text)
        if item is not None and expressions.projection is not None:
            item = project(item, expressions.projection)
        found.append({"Item": item} if item else {})
    _check_different(places)
    return {"Responses": found}

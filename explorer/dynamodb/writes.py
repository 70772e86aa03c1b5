"""The writes of one item: PutItem, UpdateItem, DeleteItem, and BatchWriteItem of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.dynamodb.conditions import Values
from explorer.dynamodb.expressions import Expressions, read_expressions
from explorer.dynamodb.paths import project
from explorer.dynamodb.refusals import Refusal, failed_condition, invalid, invalid_value
from explorer.dynamodb.tables import Items, Keys, Tables, check_choice, check_known
from explorer.dynamodb.values import Item

Request = Mapping[str, Any]
# The table, the text of the key, and the item as it is now, None for none.
Change = tuple[str, str, Item | None]

_CONDITION = frozenset(
    [
        "TableName",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    ]
)
# The parameters of a write; in a transaction there are no others.
KNOWN = {
    "Put": _CONDITION | {"Item"},
    "Update": _CONDITION | {"Key", "UpdateExpression"},
    "Delete": _CONDITION | {"Key"},
    "ConditionCheck": _CONDITION | {"Key"},
}
_RETURNS = frozenset(["ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"])
_KNOWN_ALONE = {f"{kind}Item": known | _RETURNS for kind, known in KNOWN.items()}
_KNOWN_BATCH = frozenset(["RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"])


@dataclass(slots=True)
class Write:
    """A write of one item, checked as far as that can be done without the item that is stored.

    item: what is put, or the key of what is updated, deleted or checked.
    """

    kind: str
    keys: Keys
    expressions: Expressions
    values: Values
    item: Item
    text: str
    stored: Item | None
    wants_item: bool  # where the condition does not hold

    def holds(self) -> bool:
        """Return whether the condition of the write holds."""
        test = self.expressions.condition
        return test is None or test(self.stored or {}, self.values)

    def result(self) -> Item | None:
        """Return what is stored after the write, None for nothing."""
        if self.kind == "Put":
            return self.item
        if self.kind == "Delete":
            return None
        update = self.expressions.update
        if update is None:
            return self.stored or self.item
        # By test_update_item_non_existent in ScyllaDB's test/alternator/test_item.py.
        if self.stored is None and update.only_removes:
            return None
        exists = self.stored is not None
        return update.apply(self.stored or self.item, self.values, exists=exists)

    def change(self, result: Item | None) -> tuple[Change, ...]:
        """Return what the write changes, given what is stored after it."""
        if result == self.stored:
            return ()
        return ((self.keys.table.name, self.text, result),)


def prepare(kind: str, request: Request, tables: Tables, items: Items) -> Write:
    """Return a write, or refuse one that is not valid."""
    expressions, values = read_expressions(request)
    keys = tables[request["TableName"]]
    item, text = keys.item(request["Item"]) if kind == "Put" else keys.key(request["Key"])
    if expressions.update:
        for place in expressions.update.places:
            if place[0] in keys.names:
                raise invalid_value(
                    f"Cannot update attribute {place[0]}. This attribute is part of the key"
                )
    stored = items.get(keys.table.name, {}).get(text)
    wants = check_choice(request, "ReturnValuesOnConditionCheckFailure", "NONE", "ALL_OLD")
    return Write(kind, keys, expressions, values, item, text, stored, wants == "ALL_OLD")


def write_one(
    kind: str, request: Request, tables: Tables, items: Items
) -> tuple[Any, tuple[Change, ...]]:
    """Make one write; return its output and what it changes."""
    operation = f"{kind}Item"
    check_known(operation, request, _KNOWN_ALONE[operation])
    returns = _returned(kind, request)
    write = prepare(kind, request, tables, items)
    if kind == "Put":
        _check_stored(write, write.item)
    if not write.holds():
        raise failed_condition(write.stored if write.wants_item else None)
    result = write.result()
    if kind == "Update":
        _check_stored(write, result)
    attributes = _attributes(returns, write, result)
    return {"Attributes": attributes} if attributes else {}, write.change(result)


def unfit(write: Write, result: Item) -> Refusal | None:
    """Return why an item may not be stored after a write, None where it may."""
    return write.keys.wrong_index_type(result) or write.keys.too_big(
        result, updated=write.kind == "Update"
    )


def _check_stored(write: Write, result: Item | None) -> None:
    if result is None:
        return
    if wrong := unfit(write, result):
        raise wrong
    write.keys.check_index_keys(result, updated=write.kind == "Update")


def _returned(kind: str, request: Request) -> str:
    if kind == "Update":
        return check_choice(
            request, "ReturnValues", "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"
        )
    returns: str = request.get("ReturnValues", "NONE")
    if returns not in ("NONE", "ALL_OLD"):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")
    return returns


def _attributes(returns: str, write: Write, result: Item | None) -> Item | None:
    if returns == "NONE":
        return None
    item = write.stored if returns.endswith("OLD") else result
    if item is None or returns.startswith("ALL"):
        return item
    update = write.expressions.update
    return project(item, update.places) if update else None


def write_batch(request: Request, tables: Tables, items: Items) -> tuple[Any, tuple[Change, ...]]:
    """Make writes without conditions; return the output and what they change."""
    check_known("BatchWriteItem", request, _KNOWN_BATCH)
    requested = [
        (name, write) for name, writes in request["RequestItems"].items() for write in writes
    ]
    if not 1 <= len(requested) <= 25:
        raise invalid("A batch has at least 1 write and at most 25")
    writes: dict[tuple[str, str], Write] = {}
    for name, one in requested:
        put = "PutRequest" in one
        parameters = {"TableName": name, **one["PutRequest" if put else "DeleteRequest"]}
        write = prepare("Put" if put else "Delete", parameters, tables, items)
        _check_stored(write, write.result())
        place = (write.keys.table.name, write.text)
        if place in writes:
            raise invalid("Provided list of item keys contains duplicates")
        writes[place] = write
    changes = [change for write in writes.values() for change in write.change(write.result())]
    return {"UnprocessedItems": {}}, tuple(changes)

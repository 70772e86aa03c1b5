"""Query and Scan: the items of a table or an index in order, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from explorer.app import Index
from explorer.dynamodb.conditions import Values
from explorer.dynamodb.expressions import Expressions, read_expressions
from explorer.dynamodb.paths import project
from explorer.dynamodb.refusals import invalid, invalid_value
from explorer.dynamodb.tables import (
    Items,
    Keys,
    Tables,
    check_choice,
    check_known,
    place_of,
)
from explorer.dynamodb.tree import Call, Given, Node, Operation, Path
from explorer.dynamodb.values import COMPARISONS, Item, Value, kind_of
from explorer.dynamodb.writes import Request

_KNOWN_SCAN = frozenset(
    [
        "TableName",
        "IndexName",
        "ConsistentRead",
        "ExclusiveStartKey",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "FilterExpression",
        "Limit",
        "ProjectionExpression",
        "ReturnConsumedCapacity",
        "Select",
    ]
)
_KNOWN_QUERY = _KNOWN_SCAN | {"KeyConditionExpression", "ScanIndexForward"}
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
_INVALID = "Invalid KeyConditionExpression: "
_START = "The provided starting key"


@dataclass(frozen=True, slots=True)
class _Source:
    """A table, or an index of it, that is read in order."""

    keys: Keys
    name: str | None
    index: Index | None
    partition: str
    sort: str | None

    @property
    def own(self) -> list[str]:
        """The names of its own keys."""
        return [name for name in (self.partition, self.sort) if name is not None]

    @property
    def order(self) -> list[str]:
        """The names of what its items are ordered by: two with one key by the table's keys."""
        return list(dict.fromkeys([*self.own, *self.keys.names]))

    def has(self, item: Item) -> bool:
        """Return whether an item is in the index: it has its keys."""
        return all(name in item for name in self.own)

    def seen(self, item: Item) -> Item:
        """Return what of an item is projected into the index."""
        if self.index is None or self.index.projects is None:
            return item
        kept = {*self.order, *self.index.projects}
        return {name: value for name, value in item.items() if name in kept}


def query(request: Request, tables: Tables, items: Items, older: Items, page: int | None) -> Any:
    """Return a page of the items with one partition key, in the order of their sort keys."""
    check_known("Query", request, _KNOWN_QUERY)
    expressions, values = read_expressions(request)
    source = _source(request, tables)
    if expressions.key_condition is None:
        raise invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in "
            "the request."
        )
    wanted = _key_conditions(expressions.key_condition, source, values)
    for name in source.own:
        if name in expressions.filtered:
            raise invalid(
                "Filter Expression can only contain non-primary key attributes: "
                f"Primary key attribute: {name}"
            )

    def matches(item: Item) -> bool:
        return all(test(item[name]) for name, test in wanted.items())

    start = request.get("ExclusiveStartKey")
    if start is not None:
        _check_start(start, source)
        if not matches(start):
            raise invalid(f"{_START} is outside query boundaries based on provided conditions")
    read = _read(request, source, items, older)
    found = [item for item in read if source.has(item) and matches(item)]
    found.sort(
        key=lambda item: place_of(source.order, item),
        reverse=not request.get("ScanIndexForward", True),
    )
    return _page(found, request, expressions, values, source, page)


def scan(request: Request, tables: Tables, items: Items, older: Items, page: int | None) -> Any:
    """Return a page of all items, in the order of their keys, though DynamoDB has another."""
    check_known("Scan", request, _KNOWN_SCAN)
    expressions, values = read_expressions(request)
    source = _source(request, tables)
    if (start := request.get("ExclusiveStartKey")) is not None:
        _check_start(start, source)
    found = [item for item in _read(request, source, items, older) if source.has(item)]
    found.sort(key=lambda item: place_of(source.order, item))
    return _page(found, request, expressions, values, source, page)


def _source(request: Request, tables: Tables) -> _Source:
    keys, name = tables[request["TableName"]], request.get("IndexName")
    if name is None:
        return _Source(keys, None, None, keys.table.partition, keys.table.sort)
    index = keys.table.indexes.get(name)
    if index is None:
        raise invalid(f"The table does not have the specified index: {name}")
    if request.get("ConsistentRead") and not index.local:
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return _Source(keys, name, index, index.partition, index.sort)


def _read(request: Request, source: _Source, items: Items, older: Items) -> Any:
    read = items if request.get("ConsistentRead") else older
    return read.get(source.keys.table.name, {}).values()


def _check_start(start: Item, source: _Source) -> None:
    if start.keys() != set(source.order) or any(
        source.keys.type_of(name) not in value for name, value in start.items()
    ):
        raise invalid(f"{_START} is invalid")


def _page(
    found: list[Item],
    request: Request,
    expressions: Expressions,
    values: Values,
    source: _Source,
    page: int | None,
) -> Any:
    select = _select(request, source)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        found = _after(found, start, source, backward=not request.get("ScanIndexForward", True))
    limit = min((n for n in (request.get("Limit"), page) if n is not None), default=None)
    if limit is not None and limit < 1:
        raise invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            "constraint: Member must have value greater than or equal to 1"
        )
    # Whoever stops at the limit has not looked whether there is more.
    stops = limit is not None and len(found) >= limit
    read = [source.seen(item) for item in found[:limit]]
    test = expressions.filter
    kept = [item for item in read if test is None or test(item, values)]
    answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(read)}
    if select != "COUNT":
        places = expressions.projection
        answer["Items"] = [dict(item) if places is None else project(item, places) for item in kept]
    if stops:
        answer["LastEvaluatedKey"] = {name: read[-1][name] for name in source.order}
    return answer


def _after(found: list[Item], start: Item, source: _Source, *, backward: bool) -> list[Item]:
    """Return the items after a key; the item of that key need not be there any more."""
    first = place_of(source.order, start)
    if backward:
        return [item for item in found if place_of(source.order, item) < first]
    return [item for item in found if place_of(source.order, item) > first]


def _select(request: Request, source: _Source) -> str:
    projects = "ProjectionExpression" in request
    default = "SPECIFIC_ATTRIBUTES" if projects else "ALL"
    select = check_choice(
        request,
        "Select",
        default,
        "ALL_ATTRIBUTES",
        "ALL_PROJECTED_ATTRIBUTES",
        "SPECIFIC_ATTRIBUTES",
        "COUNT",
    )
    if projects and select != "SPECIFIC_ATTRIBUTES":
        wanted = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the ProjectionExpression when choosing to get {wanted}")
    if not projects and select == "SPECIFIC_ATTRIBUTES":
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES" and source.index is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    index = source.index
    if select == "ALL_ATTRIBUTES" and index and not index.local and index.projects is not None:
        raise invalid_value(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index "
            f"{source.name} because its projection type is not ALL"
        )
    return select


def _key_conditions(
    tree: Node, source: _Source, values: Values
) -> Mapping[str, Callable[[Value], bool]]:
    """Return the test of each key that a key condition names."""
    parts: Sequence[Node] = (
        _flat(tree) if isinstance(tree, Operation) and tree.operator == "AND" else [tree]
    )
    found: dict[str, Callable[[Value], bool]] = {}
    for part in parts:
        name, operator, given = _key_condition(part)
        if name in found:
            _refuse("KeyConditionExpressions must only contain one condition per key")
        if name not in source.own:
            missed = next((own for own in source.own if own not in found), source.partition)
            raise invalid(f"Query condition missed key schema element: {missed}")
        if name == source.partition and operator != "=":
            raise invalid("Query key condition not supported")
        found[name] = _key_test(name, operator, [values[one] for one in given], source)
    if source.partition not in found:
        raise invalid(f"Query condition missed key schema element: {source.partition}")
    return found


def _flat(node: Node) -> list[Node]:
    if isinstance(node, Operation) and node.operator == "AND":
        return [part for operand in node.operands for part in _flat(operand)]
    return [node]


def _key_condition(node: Node) -> tuple[str, str, list[str]]:
    """Return a condition's key, its operator, and the placeholders of its values."""
    match node:
        case Operation("OR" | "NOT" | "IN" | "<>" as operator, _):
            _refuse(f"Invalid operator used in KeyConditionExpression: {operator}")
        case Call(function, _) if function != "begins_with":
            _refuse(f"Invalid operator used in KeyConditionExpression: {function}")
        case Operation(operator, (Given(name), Path(parts))) if operator in _REVERSED:
            return _key_name(parts), _REVERSED[operator], [name]
        case Operation(operator, (Path(parts), *given)) | Call(operator, (Path(parts), *given)):
            names = [one.name for one in given if isinstance(one, Given)]
            if len(names) == len(given):
                return _key_name(parts), operator, names
            _refuse(
                "Invalid condition in KeyConditionExpression: "
                "Multiple attribute names used in one condition"
            )
    raise invalid(
        f"{_INVALID}Invalid condition in KeyConditionExpression: No key attribute specified"
    )


def _key_name(parts: Sequence[str | int]) -> str:
    if len(parts) > 1:
        _refuse("KeyConditionExpressions cannot have conditions on nested attributes")
    return str(parts[0])


def _key_test(
    name: str, operator: str, given: Sequence[Value], source: _Source
) -> Callable[[Value], bool]:
    kind = source.keys.type_of(name)
    if any(kind_of(value) != kind for value in given):
        raise invalid_value("Condition parameter type does not match schema type")
    if any(not value[kind] for value in given):
        word = "string" if kind == "S" else "binary"
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {word} value. Key: {name}"
        )
    if operator == "begins_with":
        start = given[0][kind]
        return lambda value: bool(value[kind].startswith(start))
    if operator == "BETWEEN":
        low, high, at_most = *given, COMPARISONS["<="]
        return lambda value: at_most(low, value) and at_most(value, high)
    compare, [wanted] = COMPARISONS[operator], given
    return lambda value: compare(value, wanted)


def _refuse(message: str) -> NoReturn:
    raise invalid(_INVALID + message)

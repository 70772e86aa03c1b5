"""The expressions of a request, compiled once for their text and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from explorer.dynamodb.conditions import Check, Compiler, Test, Values
from explorer.dynamodb.parser import parse_condition, parse_projection, parse_update
from explorer.dynamodb.paths import Place, check_apart, resolve
from explorer.dynamodb.refusals import invalid
from explorer.dynamodb.tree import Call, Given, Node, Operation, Path
from explorer.dynamodb.updates import Update
from explorer.dynamodb.values import canonical

KINDS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_NO_VALUES: Values = {}


@dataclass(frozen=True, slots=True)
class Expressions:
    """What a request's expressions do; None for those that it has not."""

    condition: Test | None
    filter: Test | None
    filtered: frozenset[str]  # the attributes that the filter reads
    key_condition: Node | None
    projection: Sequence[Place] | None
    update: Update | None
    values: frozenset[str]  # the placeholders of values that are used
    checks: Sequence[Check]


def read_expressions(request: Mapping[str, Any]) -> tuple[Expressions, Values]:
    """Return the expressions of a request, checked, and its values in canonical form."""
    get = request.get
    names, given = get("ExpressionAttributeNames"), get("ExpressionAttributeValues")
    if names is not None and not names:
        raise invalid("ExpressionAttributeNames must not be empty")
    if given is not None and not given:
        raise invalid("ExpressionAttributeValues must not be empty")
    expressions = _compiled(
        get("ConditionExpression"),
        get("FilterExpression"),
        get("KeyConditionExpression"),
        get("ProjectionExpression"),
        get("UpdateExpression"),
        tuple(names.items()) if names else (),
    )
    values = {name: canonical(value) for name, value in given.items()} if given else _NO_VALUES
    if values.keys() != expressions.values:
        _refuse_values(request, values, expressions.values)
    for check in expressions.checks:
        check(values)
    return expressions, values


def _refuse_values(request: Mapping[str, Any], values: Values, used: frozenset[str]) -> None:
    missing = sorted(used - values.keys())
    if missing:
        kind = next(kind for kind in KINDS if missing[0] in str(request.get(kind)))
        raise invalid(
            f"Invalid {kind}: An expression attribute value used in expression is not defined; "
            f"attribute value: {missing[0]}"
        )
    _refuse_unused("ExpressionAttributeValues", values.keys() - used, request)


def _refuse_unused(what: str, unused: Any, request: Mapping[str, Any]) -> None:
    if not any(request.get(kind) for kind in KINDS):
        raise invalid(f"{what} can only be specified when using expressions")
    shown = ", ".join(sorted(unused))
    raise invalid(f"Value provided in {what} unused in expressions: keys: {{{shown}}}")


@lru_cache(maxsize=4096)
def _compiled(
    condition: str | None,
    filter_by: str | None,
    key_condition: str | None,
    projection: str | None,
    update: str | None,
    given_names: tuple[tuple[str, str], ...],
) -> Expressions:
    names = dict(given_names)
    checks: list[Check] = []
    trees: list[Any] = []

    def compiled(text: str | None, kind: str) -> tuple[Test | None, frozenset[str]]:
        if text is None:
            return None, frozenset()
        tree = parse_condition(text, kind)
        compiler = Compiler(kind, names)
        test = compiler.condition(tree)
        trees.append(tree)
        checks.extend(compiler.checks)
        return test, frozenset(compiler.heads)

    test, _ = compiled(condition, "ConditionExpression")
    kept, filtered = compiled(filter_by, "FilterExpression")
    keys = None
    if key_condition is not None:
        keys = _named(parse_condition(key_condition, "KeyConditionExpression"), names)
        compiled(key_condition, "KeyConditionExpression")
    places = None
    if projection is not None:
        paths = parse_projection(projection)
        trees += paths
        places = [resolve(path, names, "ProjectionExpression") for path in paths]
        check_apart(places, "ProjectionExpression")
    changes = None
    if update is not None:
        actions = parse_update(update)
        trees += actions
        changes = Update(actions, names)
        checks += changes.checks
    used = _placeholders(trees)
    unused = names.keys() - used
    if unused:
        texts = (condition, filter_by, key_condition, projection, update)
        _refuse_unused("ExpressionAttributeNames", unused, dict(zip(KINDS, texts, strict=True)))
    values = frozenset(name for name in used if name[0] == ":")
    return Expressions(test, kept, filtered, keys, places, changes, values, tuple(checks))


def _named(node: Node, names: Mapping[str, str]) -> Node:
    """Return a tree with the names for its placeholders."""
    match node:
        case Path():
            return Path(resolve(node, names, "KeyConditionExpression"))
        case Call(function, operands):
            return Call(function, tuple(_named(operand, names) for operand in operands))
        case Operation(operator, operands):
            return Operation(operator, tuple(_named(operand, names) for operand in operands))
    return node


def _placeholders(trees: Sequence[Any]) -> set[str]:
    found: set[str] = set()
    for tree in trees:
        match tree:
            case Path(parts):
                found |= {part for part in parts if isinstance(part, str) and part[0] == "#"}
            case Given(name):
                found.add(name)
            case Call(_, operands) | Operation(_, operands):
                found |= _placeholders(operands)
            case None:
                pass
            case action:
                found |= _placeholders([action.path, action.value])
    return found

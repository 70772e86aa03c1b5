"""Updates: the changes of an expression to a function that makes a new item.

The rules beside the documented ones are those that ScyllaDB's tests found on AWS and that its
test/alternator/test_update_expression.py holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explorer.dynamodb.conditions import Check, Values
from explorer.dynamodb.paths import Place, at, check_apart, resolve
from explorer.dynamodb.refusals import Refusal, invalid
from explorer.dynamodb.tree import Action, Call, Given, Node, Operation, Path
from explorer.dynamodb.values import Item, Value, in_order, kind_of, number_text, total

_KIND = "UpdateExpression"
_ADDED = ("N", "SS", "NS", "BS")
_NAMES = {"S": "STRING", "N": "NUMBER", "B": "BINARY", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}
_REMOVED: Any = object()  # in a list until the end, so that places in it stay what they were

# Reads a value from the item as it was.
Source = Callable[[Item, Values], Value]


class Update:
    """The changes of one expression."""

    def __init__(self, actions: Sequence[Action], names: Mapping[str, str]) -> None:
        self._names = names
        self.checks: list[Check] = []
        self.places = [resolve(action.path, names, _KIND) for action in actions]
        check_apart(self.places, _KIND)
        self._sets: list[tuple[Place, Source]] = []
        self._changes: list[tuple[str, Place, str]] = []
        self._removes: list[Place] = []
        for action, place in zip(actions, self.places, strict=True):
            match action.section, action.value:
                case "SET", Path() | Call() | Given() | Operation() as value:
                    self._sets.append((place, self._source(value)))
                case "REMOVE", _:
                    self._removes.append(place)
                case section, Given(name):
                    self._check_added(section, name)
                    self._changes.append((section, place, name))
        # Elements beyond the end of a list are appended in the order of their places.
        self._sets.sort(key=lambda one: one[0][-1] if isinstance(one[0][-1], int) else -1)
        self.only_removes = len(self._removes) == len(actions)
        self._documents = {str(place[0]) for place in self.places if len(place) > 1}

    def apply(self, item: Item, values: Values, *, exists: bool) -> dict[str, Value]:
        """Return the item with the changes made; `item` is the key alone where none exists."""
        assigned = [(place, source(item, values)) for place, source in self._sets]
        changed = dict(item)
        for name in self._documents:
            if name in changed:
                changed[name] = _copy(changed[name])
        for place in self._removes:
            if exists or len(place) == 1:
                _remove(changed, place)
        for place, value in assigned:
            _set(changed, place, value)
        for section, place, name in self._changes:
            _combine(changed, section, place, values[name])
        for place in self._removes:
            if isinstance(place[-1], int):
                _compact(changed, place[:-1])
        return changed

    def _source(self, node: Node) -> Source:
        match node:
            case Given(name):
                return lambda item, values: values[name]
            case Path():
                return _stored(resolve(node, self._names, _KIND))
            case Operation(sign, (one, two)):
                self._check_operands(sign, "N", one, two)
                return _arithmetic(sign, self._source(one), self._source(two))
            case Call("list_append", (one, two)):
                self._check_operands("list_append", "L", one, two)
                return _appended(self._source(one), self._source(two))
            case Call("if_not_exists", (Path() as path, otherwise)):
                place = resolve(path, self._names, _KIND)
                default = self._source(otherwise)
                return lambda item, values: at(item, place) or default(item, values)
        raise _invalid(
            "Operator or function requires a document path; operator or function: if_not_exists"
        )

    def _check_operands(self, operator: str, needed: str, *nodes: Node) -> None:
        for node in nodes:
            if isinstance(node, Given):
                self.checks.append(_operand_check(operator, needed, node.name))

    def _check_added(self, section: str, given: str) -> None:
        kinds = _ADDED if section == "ADD" else _ADDED[1:]

        def check(values: Values) -> None:
            kind = kind_of(values[given])
            if kind not in kinds:
                raise _invalid(
                    "Incorrect operand type for operator or function; "
                    f"operator: {section}, operand type: {_NAMES.get(kind, kind)}, "
                    "typeSet: ALLOWED_FOR_ADD_OPERAND"
                )

        self.checks.append(check)


def _operand_check(operator: str, needed: str, given: str) -> Check:
    def check(values: Values) -> None:
        kind = kind_of(values[given])
        if kind != needed:
            raise _invalid(
                "Incorrect operand type for operator or function; "
                f"operator or function: {operator}, operand type: {kind}"
            )

    return check


def _stored(place: Place) -> Source:
    def read(item: Item, values: Values) -> Value:
        value = at(item, place)
        if value is None:
            raise invalid(
                "The provided expression refers to an attribute that does not exist in the item"
            )
        return value

    return read


def _arithmetic(sign: str, one: Source, two: Source) -> Source:
    def read(item: Item, values: Values) -> Value:
        left, right = one(item, values), two(item, values)
        if "N" not in left or "N" not in right:
            raise _wrong_type()
        return {"N": total(left["N"], sign, right["N"])}

    return read


def _appended(one: Source, two: Source) -> Source:
    def read(item: Item, values: Values) -> Value:
        left, right = one(item, values), two(item, values)
        if "L" not in left or "L" not in right:
            raise _wrong_type()
        return {"L": [*left["L"], *right["L"]]}

    return read


def _invalid(message: str) -> Refusal:
    return invalid(f"Invalid {_KIND}: {message}")


def _wrong_type() -> Refusal:
    return invalid("An operand in the update expression has an incorrect data type")


def _copy(value: Any) -> Any:
    """Return a copy of a document that can be changed in place."""
    if "M" in value:
        return {"M": {name: _copy(part) for name, part in value["M"].items()}}
    return {"L": [_copy(part) for part in value["L"]]} if "L" in value else value


def _container(item: Any, place: Place) -> Any:
    """Return the map or the list that a place is in; without one the place is not valid."""
    if len(place) == 1:
        return item
    parent: Any = item.get(place[0])
    for part in place[1:-1]:
        inside = _inside(parent, part)
        parent = inside.get(part) if isinstance(part, str) else _element(inside, part)
    return _inside(parent, place[-1])


def _inside(parent: Any, part: str | int) -> Any:
    kind = "M" if isinstance(part, str) else "L"
    if parent is None or parent is _REMOVED or kind not in parent:
        raise invalid("The document path provided in the update expression is invalid for update")
    return parent[kind]


def _element(elements: Any, part: int) -> Any:
    return elements[part] if part < len(elements) else None


def _set(item: dict[str, Value], place: Place, value: Value) -> None:
    container, last = _container(item, place), place[-1]
    if isinstance(last, int) and last >= len(container):
        container.append(value)
    else:
        container[last] = value


def _remove(item: dict[str, Value], place: Place) -> None:
    container, last = _container(item, place), place[-1]
    if isinstance(last, str):
        container.pop(last, None)
    elif last < len(container):
        container[last] = _REMOVED


def _compact(item: Item, place: Place) -> None:
    parent: Any = at(item, place)
    if parent is not None:
        parent["L"][:] = [part for part in parent["L"] if part is not _REMOVED]


def _combine(item: dict[str, Value], section: str, place: Place, given: Value) -> None:
    """Add to a number or a set, or delete from a set."""
    container, last = _container(item, place), place[-1]
    there = container.get(last) if isinstance(last, str) else _element(container, last)
    [(kind, content)] = given.items()
    if there is None:
        if section == "ADD":
            _set(item, place, given)
        return
    if kind not in there:
        raise _wrong_type()
    if kind == "N":
        container[last] = {"N": total(number_text(there["N"]), "+", content)}
        return
    members = {*there[kind], *content} if section == "ADD" else {*there[kind]} - {*content}
    if members:
        container[last] = {kind: in_order(kind, members)}
    else:
        _remove(item, place)

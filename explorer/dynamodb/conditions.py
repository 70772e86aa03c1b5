"""Conditions: a tree of an expression to a function that says whether it holds.

The rules beside the documented ones are those that ScyllaDB's tests found on AWS and that its
test/alternator/test_condition_expression.py holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from explorer.dynamodb.paths import at, resolve
from explorer.dynamodb.refusals import Refusal, invalid
from explorer.dynamodb.tree import Call, Given, Node, Operation, Path
from explorer.dynamodb.values import (
    COMPARISONS,
    KINDS,
    ORDERED,
    Item,
    Value,
    equal,
    kind_of,
    length,
)

Values = Mapping[str, Value]
Test = Callable[[Item, Values], bool]
Read = Callable[[Item, Values], Value | None]
Check = Callable[[Values], None]


class Compiler:
    """Compiles the conditions of one parameter; collects what is to be checked of given values."""

    def __init__(self, kind: str, names: Mapping[str, str]) -> None:
        self._kind, self._names = kind, names
        self.checks: list[Check] = []
        self.heads: set[str] = set()  # the attributes that are read

    def condition(self, node: Node) -> Test:
        """Return the test of a condition."""
        if isinstance(node, Call):
            return self._function(node)
        assert isinstance(node, Operation)
        match node.operator:
            case "AND":
                return _every([self.condition(operand) for operand in node.operands])
            case "OR":
                return _some([self.condition(operand) for operand in node.operands])
            case "NOT":
                negated = self.condition(node.operands[0])
                return lambda item, values: not negated(item, values)
            case "BETWEEN":
                return self._between(*node.operands)
            case "IN":
                return self._in(*node.operands)
        return self._comparison(node.operator, *node.operands)

    def operand(self, node: Node) -> Read:
        """Return the function that reads an operand."""
        match node:
            case Given(name):
                return lambda item, values: values[name]
            case Path():
                place = resolve(node, self._names, self._kind)
                self.heads.add(str(place[0]))
                if len(place) > 1:
                    return lambda item, values: at(item, place)
                name = str(place[0])
                return lambda item, values: item.get(name)
        assert isinstance(node, Call)
        self._check_kinds(node.operands[0], "size", ("S", "B", "M", "L", "SS", "NS", "BS"))
        measured = self.operand(node.operands[0])
        return lambda item, values: _size(measured(item, values))

    def _comparison(self, operator: str, left: Node, right: Node) -> Test:
        if operator not in ("=", "<>"):
            self._check_kinds(left, operator, ORDERED)
            self._check_kinds(right, operator, ORDERED)
        one, two, compare = self.operand(left), self.operand(right), COMPARISONS[operator]
        if operator == "=" and isinstance(right, Given):
            given = right.name
            return lambda item, values: one(item, values) == values[given]
        return lambda item, values: compare(one(item, values), two(item, values))

    def _between(self, node: Node, lowest: Node, highest: Node) -> Test:
        for bound in (node, lowest, highest):
            self._check_kinds(bound, "BETWEEN", ORDERED)
        if isinstance(lowest, Given) and isinstance(highest, Given):
            self._check_bounds(lowest.name, highest.name)
        one, low, high = map(self.operand, (node, lowest, highest))
        at_most = COMPARISONS["<="]

        def between(item: Item, values: Values) -> bool:
            value = one(item, values)
            return at_most(low(item, values), value) and at_most(value, high(item, values))

        return between

    def _in(self, node: Node, *options: Node) -> Test:
        if len(options) > 100:
            raise self._invalid("The IN operator is provided with too many operands")
        one, listed = self.operand(node), [self.operand(option) for option in options]

        def among(item: Item, values: Values) -> bool:
            value = one(item, values)
            return any(equal(value, option(item, values)) for option in listed)

        return among

    def _function(self, call: Call) -> Test:
        name, operands = call.function, call.operands
        if name.startswith("attribute_") and name != "attribute_type":
            if not isinstance(operands[0], Path):
                raise self._invalid(
                    f"Operator or function requires a document path; operator or function: {name}"
                )
            read = self.operand(operands[0])
            if name == "attribute_exists":
                return lambda item, values: read(item, values) is not None
            return lambda item, values: read(item, values) is None
        if operands[0] == operands[1]:
            raise self._invalid(
                "The first operand must be distinct from the remaining operands for this operator "
                f"or function; operator: {name}"
            )
        one = self.operand(operands[0])
        if name == "attribute_type":
            return self._type(one, operands[1])
        if name == "begins_with":
            for operand in operands:
                self._check_kinds(operand, name, ("S", "B"))
        two, holds = self.operand(operands[1]), _begins if name == "begins_with" else _contains

        def both(item: Item, values: Values) -> bool:
            whole, part = one(item, values), two(item, values)
            return whole is not None and part is not None and holds(whole, part)

        return both

    def _type(self, one: Read, wanted: Node) -> Test:
        if not isinstance(wanted, Given):
            raise self._incorrect("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
        given = wanted.name
        self._check_kinds(wanted, "attribute_type", ("S",))

        def check(values: Values) -> None:
            if values[given]["S"] not in KINDS:
                valid = ",".join(KINDS)
                raise self._invalid(
                    f"Invalid attribute type name found; type: {values[given]['S']}, "
                    f"valid types: {{{valid}}}"
                )

        self.checks.append(check)
        return lambda item, values: values[given]["S"] in (one(item, values) or ())

    def _check_kinds(self, node: Node, operator: str, kinds: tuple[str, ...]) -> None:
        """Have the type of a given value checked; that of a stored one only fails a condition."""
        if not isinstance(node, Given):
            return
        given = node.name

        def check(values: Values) -> None:
            kind = kind_of(values[given])
            if kind not in kinds:
                raise self._incorrect(operator, kind)

        self.checks.append(check)

    def _check_bounds(self, low: str, high: str) -> None:
        def check(values: Values) -> None:
            one, two = values[low], values[high]
            if COMPARISONS["<="](one, two):
                return
            same = kind_of(one) == kind_of(two)
            needs = (
                "upper bound to be greater than or equal to lower bound"
                if same
                else "same data type for lower and upper bounds"
            )
            shown = [
                f"{bound} bound operand: AttributeValue: {{{kind}:{content}}}"
                for bound, value in (("lower", one), ("upper", two))
                for kind, content in value.items()
            ]
            raise self._invalid(f"The BETWEEN operator requires {needs}; {', '.join(shown)}")

        self.checks.append(check)

    def _invalid(self, message: str) -> Refusal:
        return invalid(f"Invalid {self._kind}: {message}")

    def _incorrect(self, operator: str, kind: str) -> Refusal:
        return self._invalid(
            "Incorrect operand type for operator or function; "
            f"operator or function: {operator}, operand type: {kind}"
        )


def _every(tests: list[Test]) -> Test:
    def every(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110 - it is called most, and all() is slower
            if not test(item, values):
                return False
        return True

    return every


def _some(tests: list[Test]) -> Test:
    return lambda item, values: any(test(item, values) for test in tests)


def _size(value: Value | None) -> Value | None:
    measured = None if value is None else length(value)
    return None if measured is None else {"N": str(measured)}


def _begins(whole: Value, part: Value) -> bool:
    [(kind, content)] = whole.items()
    return kind in ("S", "B") and kind in part and bool(content.startswith(part[kind]))


def _contains(whole: Value, part: Any) -> bool:
    [(kind, content)] = whole.items()
    if kind == "L":
        return part in content
    # Of a string and of bytes a part, of a set a member.
    return kind in ("S", "B", "SS", "NS", "BS") and kind[0] in part and part[kind[0]] in content

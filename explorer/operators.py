"""What a pattern of EventBridge may ask of a value: the operators of the user guide."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise
from typing import Any

from explorer.calls import UnknownCallError

Test = Callable[[Any], bool]  # whether a value of an event matches


def plain(expected: Any) -> Test:
    """Return the test that a value is this one: a text, a number, true, false or null."""
    if isinstance(expected, list):
        raise ValueError(f"a list of values may not have lists: {expected}.")
    return lambda value: type(value) is type(expected) and value == expected


def operator(expression: dict[str, Any]) -> Test:
    """Return the test of an operator with what it is given: {"prefix": "a"}."""
    if len(expression) != 1:
        raise ValueError(f"an operator stands alone in its object: {expression}.")
    [(name, operand)] = expression.items()
    if name not in OPERATORS:
        raise UnknownCallError(f"the operator {name} is not known in event patterns.")
    return OPERATORS[name](operand)


def _text(operand: Any) -> str:
    if not isinstance(operand, str):
        raise ValueError(f"the operator takes a text: {operand}.")
    return operand


def _ignoring_case(operand: Any) -> str:
    if not isinstance(operand, dict) or [*operand] != ["equals-ignore-case"]:
        raise ValueError(f"the operator takes a text, or equals-ignore-case: {operand}.")
    return _text(operand["equals-ignore-case"]).lower()


def _prefix(operand: Any) -> Test:
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.startswith(operand)
    start = _ignoring_case(operand)
    return lambda value: isinstance(value, str) and value.lower().startswith(start)


def _suffix(operand: Any) -> Test:
    if isinstance(operand, str):
        return lambda value: isinstance(value, str) and value.endswith(operand)
    end = _ignoring_case(operand)
    return lambda value: isinstance(value, str) and value.lower().endswith(end)


def _equals_ignore_case(operand: Any) -> Test:
    text = _text(operand).lower()
    return lambda value: isinstance(value, str) and value.lower() == text


def _wildcard(operand: Any) -> Test:
    """Match `*` with any characters; a backslash before `*` or another backslash takes it as is."""
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", _text(operand))
    if "\\" in parts:
        raise ValueError(rf"a backslash stands before * or another \ only: {operand}.")
    if ("*", "*") in pairwise(parts):
        raise ValueError(f"wildcards may not follow each other: {operand}.")
    expression = re.compile(
        "".join(".*" if p == "*" else re.escape(p[-1] if p[0] == "\\" else p) for p in parts),
        re.DOTALL,
    )
    return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None


def _address(text: Any) -> IPv4Address | IPv6Address | None:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]+", text):
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def _cidr(operand: Any) -> Test:
    address, _, bits = _text(operand).partition("/")
    # The engine: "IPv4 mask bits must be < 32", "IPv6 mask bits must be < 128".
    found = _address(address)
    if not found or not re.fullmatch("[0-9]{1,3}", bits) or int(bits) >= found.max_prefixlen:
        raise ValueError(f"cidr takes a block of addresses such as 10.0.0.0/24: {operand}.")
    block = ip_network(operand, strict=False)
    return lambda value: (there := _address(value)) is not None and there in block


COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operators.eq,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric(operand: Any) -> Test:
    """Compare once, or with the lower bound and then the upper: [">", 0, "<=", 5]."""
    wrong = ValueError(f"numeric takes a comparison, or two as of [>, 0, <=, 5]: {operand}.")
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise wrong
    names, bounds = operand[::2], operand[1::2]
    if not all(name in COMPARISONS for name in map(str, names)) or not all(map(_is_number, bounds)):
        raise wrong
    if len(names) == 2 and (
        names[0] not in (">", ">=") or names[1] not in ("<", "<=") or not bounds[0] < bounds[1]
    ):
        raise wrong
    return lambda value: (
        _is_number(value)
        and all(COMPARISONS[name](value, bound) for name, bound in zip(names, bounds, strict=True))
    )


NEGATED = ("prefix", "suffix", "equals-ignore-case", "wildcard")


def _anything_but(operand: Any) -> Test:
    """Match a value that is none of these: texts, or numbers, or what one operator matches."""
    if isinstance(operand, dict):
        if len(operand) != 1 or (name := next(iter(operand))) not in NEGATED:
            raise UnknownCallError(f"anything-but with {', '.join(operand)} is not known.")
        given = operand[name]
        texts = given if isinstance(given, list) else [given]
        if not texts or not all(
            isinstance(one, str) and (one or "fix" not in name) for one in texts
        ):
            raise ValueError(f"{name} in anything-but takes a text, or a list of texts: {given}.")
        tests = [OPERATORS[name](one) for one in texts]
        return lambda value: not any(test(value) for test in tests)
    values = operand if isinstance(operand, list) else [operand]
    numbers = [value for value in values if _is_number(value)]
    texts = [value for value in values if isinstance(value, str)]
    if not values or len(values) not in (len(numbers), len(texts)):
        raise ValueError(f"anything-but takes texts only, or numbers only: {operand}.")
    return lambda value: value not in (numbers if _is_number(value) else texts)


def _exists(operand: Any) -> Test:
    if operand is not True:  # where it is False no value is asked
        raise ValueError(f"exists takes true or false: {operand}.")
    return lambda _: True


OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "numeric": _numeric,
    "exists": _exists,
    "anything-but": _anything_but,
}

"""Event patterns of EventBridge: which events a rule matches.

As the user guide has it ("Comparison operators for use in event patterns"); where it is silent, as
the engine does that AWS publishes (github.com/aws/event-ruler, JsonRuleCompiler and NameState):

- A field is the names that lead to it, joined by dots. A list in an event stands for each of its
  elements, but two fields of one list of objects match only within the same object.
- A field that exists has a value: an object or an empty list alone is none.
- `$or` makes alternatives; a field given twice keeps the last of its lists.

Numbers are where the two disagree. The guide: "For numbers, EventBridge uses string representation.
For example, 300, 300.0, and 3.0e2 are not considered equal"; the engine takes them for equal. Here
a plain value follows the guide, `numeric` and `anything-but` compare numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from explorer.calls import UnknownCallError
from explorer.operators import Test, operator, plain

COMBINATIONS = 1000  # so many may $or make; user guide, "Complex example with $or matching"

Places = Mapping[int, int]  # for each list that led to a value, the place in it


class _Field(NamedTuple):
    """What is asked of a field: one of the tests, or that it is not there."""

    tests: tuple[Test, ...]
    absent: bool


_Alternative = Sequence[tuple[str, _Field]]


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Return whether a rule with this pattern sends this event, as delivered, to its target."""
    alternatives, ways = _compiled(_text_of(pattern))
    fields: dict[str, list[tuple[Any, Places]]] = {way: [] for way in ways}
    _collect(event, "", {}, fields, count())
    return any(_holds(one, fields, {}) for one in alternatives)


def check_pattern(pattern: Mapping[str, Any]) -> None:
    """Raise for a pattern that EventBridge refuses, or has an operator that is not known here."""
    _compiled(_text_of(pattern))


def _collect(
    value: Any,
    path: str,
    places: Places,
    fields: dict[str, list[tuple[Any, Places]]],
    lists: Iterator[int],
) -> None:
    """Collect the values of the fields that are given, and of no others."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            where = f"{path}.{name}" if path else name
            if where in fields:
                _collect(inner, where, places, fields, lists)
    elif isinstance(value, list):
        number = next(lists)
        for place, inner in enumerate(value):
            nested = isinstance(inner, Mapping | list)
            _collect(inner, path, {**places, number: place} if nested else places, fields, lists)
    else:
        fields[path].append((value, places))


def _holds(
    wanted: Sequence[tuple[str, _Field]],
    fields: Mapping[str, Sequence[tuple[Any, Places]]],
    places: Places,
) -> bool:
    """Return whether all wanted fields match, given the places of the matches so far."""
    if not wanted:
        return True
    (path, field), *rest = wanted
    found = [
        (value, {**places, **led})
        for value, led in fields[path]
        if all(places.get(number, place) == place for number, place in led.items())
    ]
    if not found:
        return field.absent and _holds(rest, fields, places)
    return any(
        any(test(value) for test in field.tests) and _holds(rest, fields, there)
        for value, there in found
    )


_JSON = json.JSONEncoder(allow_nan=False, default=dict)


def _text_of(pattern: Mapping[str, Any]) -> str:
    try:
        return _JSON.encode(pattern)
    except (TypeError, ValueError) as error:
        raise ValueError(f"An event pattern must be JSON: {error}.") from error


@lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[Sequence[_Alternative], Set[str]]:
    """Return the alternatives, and every field that is asked for or on the way to one."""
    pattern = json.loads(text)
    if (combinations := _combinations(pattern)) > COMBINATIONS:
        raise ValueError(
            f"$or makes {combinations} combinations, and EventBridge takes {COMBINATIONS}."
        )
    # In the engine's order: whether a field is absent is asked within the places so far.
    alternatives = [sorted(one.items()) for one in _alternatives(pattern, "")]
    paths = [path.split(".") for one in alternatives for path, _ in one]
    return alternatives, {".".join(p[: n + 1]) for p in paths for n in range(len(p))}


def _combinations(pattern: Any) -> int:
    if not isinstance(pattern, dict):
        return 1
    return math.prod(
        len(inner) * math.prod(map(_combinations, inner))
        if name == "$or" and isinstance(inner, list)
        else _combinations(inner)
        for name, inner in pattern.items()
    )


def _alternatives(pattern: Any, path: str) -> list[dict[str, _Field]]:
    if not isinstance(pattern, dict) or not pattern:
        what = f"{path} must be an object with fields, or a list of values" if path else ""
        raise ValueError(f"{what or 'An event pattern must be an object with fields'}: {pattern}.")
    found: list[dict[str, _Field]] = [{}]
    for name, inner in pattern.items():
        where = f"{path}.{name}" if path else name
        if name == "$or":
            if not isinstance(inner, list) or len(inner) < 2:
                raise ValueError(f"{where} must be a list of at least two patterns: {inner}.")
            branches = [one for branch in inner for one in _alternatives(branch, path)]
        elif isinstance(inner, list):
            branches = [{where: _field(inner, where)}]
        else:
            branches = _alternatives(inner, where)
        found = [one | branch for one in found for branch in branches]
    return found


def _field(values: list[Any], where: str) -> _Field:
    if not values:
        raise ValueError(f"{where} must list at least one value that matches.")
    tests, absent = [], False
    for value in values:
        try:
            if isinstance(value, dict) and value.get("exists") is False and len(value) == 1:
                absent = True
            else:
                tests.append(operator(value) if isinstance(value, dict) else plain(value))
        except (ValueError, UnknownCallError) as error:
            raise type(error)(f"{where}: {error}") from error
    return _Field(tuple(tests), absent)

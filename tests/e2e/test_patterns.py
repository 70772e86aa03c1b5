"""The explorer matches event patterns as the emulator does, which follows AWS's own engine."""

import json
import random
from typing import Any

import pytest

from explorer.calls import UnknownCallError
from explorer.eventbridge import matches
from harness.connect import session
from harness.environment import Environment

TEXTS = ["", "a", "ab", "aB", "b.png", "*", "10.0.0.1", "10.0.1.1", "2001:db8::1"]
# No number is given as 1 and as 1.0: see DIFFERENCES.
NUMBERS = [-1, 0, 1, 2, 2.5, 300]
COMPARISONS = ["=", "<", "<=", ">", ">="]
MALFORMED: list[Any] = [
    {"prefix": 1},
    {"suffix": {"prefix": "a"}},
    {"numeric": ["<", 1, ">", 0]},
    {"numeric": [">", 1, "<", 1]},
    {"anything-but": [1, "a"]},
    {"anything-but": {"prefix": ""}},
    {"wildcard": "a**"},
    {"cidr": "10.0.0.1/32"},
    {"exists": "yes"},
    {"regex": "a"},
    {"prefix": "a", "suffix": "a"},
    [],
    {},
]

# Pattern, event, and what the emulator says; the explorer says otherwise.
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    # Event Ruler's JsonRuleCompiler does as the emulator; the user guide, "Event pattern syntax":
    # "For numbers, EventBridge uses string representation. For example, 300, 300.0, and 3.0e2 are
    # not considered equal".
    "numbers by their value": ({"detail": {"a": [300]}}, {"detail": {"a": 300.0}}, True),
    # Event Ruler's NameState.getNameTransitions: a field of any element is there.
    "absent by each element alone": (
        {"detail": {"a": {"b": [{"exists": False}]}}},
        {"detail": {"a": [{"b": 1}, {"c": 1}]}},
        True,
    ),
}


@pytest.fixture(scope="module")
def client(saga: Environment) -> Any:
    return session().client("events", endpoint_url=saga.endpoint)


@pytest.mark.parametrize("saga", ["processes"], indirect=True, scope="session")
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_patterns_by_chance_match_the_same_events(client: Any, seed: int) -> None:
    dice, answers = random.Random(seed), []

    for _ in range(1000):
        pattern, event = {"detail": _pattern(dice)}, {"detail": _object(dice)}
        expected = _emulator(client, pattern, event)
        assert _explorer(pattern, event) == expected, (pattern, event)
        answers.append(expected)

    assert {answer: answers.count(answer) > 50 for answer in answers} == {
        "matches": True,
        "does not": True,
        "refused": True,
    }


@pytest.mark.parametrize("saga", ["processes"], indirect=True, scope="session")
@pytest.mark.parametrize(("pattern", "event", "said"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_where_the_emulator_differs_the_documentation_is_followed(
    client: Any, pattern: dict[str, Any], event: dict[str, Any], said: bool
) -> None:
    emulated = client.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))[
        "Result"
    ]

    assert emulated is said
    assert matches(pattern, event) is not said


def _emulator(client: Any, pattern: dict[str, Any], event: dict[str, Any]) -> str:
    try:
        answer = client.test_event_pattern(
            EventPattern=json.dumps(pattern), Event=json.dumps(event)
        )
    except client.exceptions.InvalidEventPatternException:
        return "refused"
    return "matches" if answer["Result"] else "does not"


def _explorer(pattern: dict[str, Any], event: dict[str, Any]) -> str:
    try:
        return "matches" if matches(pattern, event) else "does not"
    except (ValueError, UnknownCallError):
        return "refused"


def _object(dice: random.Random, depth: int = 2) -> dict[str, Any]:
    """Return an object with some of the fields a to c, and objects in it down to a depth."""
    return {name: _value(dice, depth) for name in "abc" if dice.random() < 0.8}


def _value(dice: random.Random, depth: int) -> Any:
    kind = dice.random()
    if depth and kind < 0.4:
        return _object(dice, depth - 1)
    if depth and kind < 0.6:
        return [_value(dice, depth - 1) for _ in range(dice.randint(0, 3))]
    return dice.choice([*TEXTS, *NUMBERS, True, False, None])


def _pattern(dice: random.Random, depth: int = 2) -> dict[str, Any]:
    pattern: dict[str, Any] = {}
    for name in dice.sample("abc", dice.randint(1, 2)):
        nested = depth and dice.random() < 0.5
        pattern[name] = _pattern(dice, depth - 1) if nested else _tests(dice, depth)
    if dice.random() < 0.1:
        # Beside other fields in any order: the last list of a field counts.
        branches = [_pattern(dice, 0) for _ in range(dice.randint(2, 3))]
        entries = [*pattern.items(), ("$or", branches)]
        dice.shuffle(entries)
        pattern = dict(entries)
    return pattern


def _tests(dice: random.Random, depth: int) -> list[Any]:
    return [_test(dice, depth) for _ in range(dice.randint(1, 3))]


def _test(dice: random.Random, depth: int) -> Any:
    if dice.random() < 0.02:
        return dice.choice(MALFORMED)
    text, number = dice.choice(TEXTS), dice.choice(NUMBERS)
    return dice.choice(
        [
            text,
            number,
            dice.choice([True, False, None]),
            {dice.choice(["prefix", "suffix"]): text},
            {dice.choice(["prefix", "suffix"]): {"equals-ignore-case": text}},
            {"equals-ignore-case": text},
            {"wildcard": dice.choice(["*", "a*", "*b*", "*.*", r"\*", "a*b"])},
            {"cidr": dice.choice(["10.0.0.0/24", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"])},
            {"numeric": [dice.choice(COMPARISONS), number]},
            {"numeric": [dice.choice([">", ">="]), -1, dice.choice(["<", "<="]), 2.5]},
            # Within lists of objects an absent field is another matter: see DIFFERENCES.
            {"exists": depth < 2 or dice.random() < 0.5},
            {"anything-but": dice.choice([text, number])},
            {"anything-but": dice.choice([dice.sample(TEXTS, 2), dice.sample(NUMBERS, 2)])},
            {"anything-but": {dice.choice(["prefix", "suffix"]): dice.sample(TEXTS[1:], 2)}},
            {"anything-but": {dice.choice(["wildcard", "equals-ignore-case"]): ["a*", "ab"]}},
        ]
    )

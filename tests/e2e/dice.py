"""Calls of DynamoDB by chance: every form of its expressions, right ones and some wrong ones.

A call that may meet a lie of the emulator, by its form alone, names it in its doubts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from explorer.app import Index, Table

TABLES = [
    Table(
        "memory-things",
        "p",
        "s",
        {"kinds": Index("k", "n", ("a",)), "turns": Index("p", "t", local=True)},
        {"s": "N", "n": "N"},
    ),
    Table("memory-plain", "id"),
]
# What each attribute is, most of the time; `d` and `l` hold others.
ATTRIBUTES = ["k", "n", "t", "a", "b", "u", "v", "w", "o", "l", "d"]
PLACES = ["a", "b", "l", "d", "l[0]", "l[2]", "d.x", "d.y", "d.y[1]", "d.z.x", "l[1].x", "q"]
COMPARED = [*PLACES, "n", "t", "u", "v", "w", "o", "k"]
SETS = ["u", "v"]
COMPARATORS = ["=", "<>", "<", "<=", ">", ">="]


@dataclass
class Request:
    """A call that is being made up: the values and names that its expressions use."""

    dice: random.Random
    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    doubts: set[str] = field(default_factory=set)
    targets: set[str] = field(default_factory=set)

    def chance(self, of: float) -> bool:
        """Return whether something happens that happens so often."""
        return self.dice.random() < of

    def value(self, given: Any = None) -> str:
        """Return the placeholder of a value."""
        name = f":v{len(self.values):02}"
        self.values[name] = scalar(self.dice) if given is None else given
        return name

    def place(self, places: list[str] = COMPARED) -> str:
        """Return a path, at times with placeholders for its names."""
        path = self.dice.choice(places)
        if self.chance(0.3):
            head, dot, rest = path.partition(".")
            name, bracket, index = head.partition("[")
            placeholder = f"#n{len(self.names):02}"
            self.names[placeholder] = name
            path = placeholder + bracket + index + dot + rest
        return path

    def condition(self, depth: int = 2, places: list[str] = COMPARED) -> str:
        """Return a condition."""
        if depth and self.chance(0.4):
            left, right = self.condition(depth - 1, places), self.condition(depth - 1, places)
            return self.dice.choice(
                [f"{left} AND {right}", f"({left}) or ({right})", f"NOT ({left}) AND {right}"]
            )
        forms: list[Callable[[list[str]], str]] = [
            self._comparison,
            self._between,
            self._among,
            self._existence,
            self._kind,
            self._part,
            self._size,
        ]
        return self.dice.choice(forms)(places)

    def _comparison(self, places: list[str]) -> str:
        operator = self.dice.choice(COMPARATORS)
        left = self.place(places)
        if self.chance(0.1):
            self.doubts.add("two that are not there are equal")
            return f"{left} {operator} {self.place(places)}"
        right = self.value()
        if operator not in ("=", "<>") and not self.values[right].keys() & {"S", "N", "B"}:
            self.doubts.add("what has no order can be compared")
        return f"{left} {operator} {right}" if self.chance(0.8) else f"{right} {operator} {left}"

    def _between(self, places: list[str]) -> str:
        low, high = sorted(self.dice.choices(range(12), k=2))
        bounds = [{"N": str(low)}, {"N": str(high)}]
        if self.chance(0.3):
            bounds = [{"S": chr(97 + low)}, {"S": chr(97 + high)}]
        low_value, high_value = map(self.value, bounds)
        return f"{self.place(places)} BETWEEN {low_value} AND {high_value}"

    def _among(self, places: list[str]) -> str:
        options = [self.value() for _ in range(self.dice.randint(1, 3))]
        return f"{self.place(places)} in ({', '.join(options)})"

    def _existence(self, places: list[str]) -> str:
        function = self.dice.choice(["attribute_exists", "attribute_not_exists"])
        return f"{function}({self.place(places)})"

    def _kind(self, places: list[str]) -> str:
        kind = self.dice.choice(["S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS"])
        return f"attribute_type ({self.place(places)}, {self.value({'S': kind})})"

    def _part(self, places: list[str]) -> str:
        if self.chance(0.5):
            self.doubts.add("a prefix of what is no string is an error")
            start = self.value({"S": self.dice.choice(["", "a", "ab"])})
            return f"begins_with({self.place(places)}, {start})"
        if self.chance(0.2):
            self.doubts.add("bytes contain no bytes")
            return f"contains({self.place(places)}, {self.value({'B': b'a'})})"
        return f"contains({self.place(places)}, {self.value()})"

    def _size(self, places: list[str]) -> str:
        self.doubts.add("a number has a size")
        operator = self.dice.choice(COMPARATORS)
        size = self.value({"N": str(self.dice.randint(0, 3))})
        return f"size({self.place(places)}) {operator} {size}"

    def update(self) -> str:
        """Return the expression of an update."""
        sections = [
            ("SET", self._assignment, 0.8),
            ("REMOVE", self._removal, 0.3),
            ("ADD", self._addition, 0.2),
            ("DELETE", self._deletion, 0.15),
        ]
        chosen = [(word, one) for word, one, often in sections if self.chance(often)]
        self.dice.shuffle(chosen)
        if not chosen:
            chosen = [("SET", self._assignment)]
        if all(word == "REMOVE" for word, _ in chosen):
            self.doubts.add("a removal makes an item")
        self.targets.clear()
        return " ".join(
            f"{word} {', '.join(one() for _ in range(self.dice.choice([1, 1, 2])))}"
            for word, one in chosen
        )

    def _target(self, places: list[str]) -> str:
        target = self.place(places)
        head = re.split(r"[.[]", target)[0]
        name = self.names.get(head, head)
        if name in self.targets:
            self.doubts.add("one place can be changed twice")
        self.targets.add(name)
        if "[" in target or "." in target:
            self.doubts.add("a document that is not there is no error, or another one")
        return target

    def _assignment(self) -> str:
        target = self._target([*PLACES, "n", "t", "k", "b", "b"])
        source = self.dice.choice(["given", "given", "given", "stored", "sum", "append", "default"])
        match source:
            case "given":
                return f"{target} = {self.value(value(self.dice))}"
            case "stored":
                return f"{target} = {self.place()}"
            case "sum":
                self.doubts.add("what is no number can be added to")
                one, sign = self.place(["n", "b", "d.x"]), self.dice.choice("+-")
                return f"{target} = {one} {sign} {self.value(number(self.dice))}"
            case "append":
                self.doubts.add("what is no list can be appended to")
                more = self.value({"L": [value(self.dice, 1)]})
                place = self.place(["l", "d.y", "b"])
                operands = (place, more) if self.chance(0.5) else (more, place)
                return f"{target} = list_append({', '.join(operands)})"
        return f"{target} = if_not_exists({self.place()}, {self.value()})"

    def _removal(self) -> str:
        return self._target(PLACES)

    def _addition(self) -> str:
        if self.chance(0.6):
            return f"{self._target(['n', 'b', 'd.x'])} {self.value(number(self.dice))}"
        return f"{self._target(SETS)} {self.value(members(self.dice))}"

    def _deletion(self) -> str:
        return f"{self._target(SETS)} {self.value(members(self.dice))}"

    def projection(self) -> str:
        """Return a projection."""
        count = self.dice.randint(1, 3)
        return ", ".join(self.place([*PLACES, "p", "s", "k", "u"]) for _ in range(count))

    def parameters(self, **given: Any) -> dict[str, Any]:
        """Return the parameters of the call, at times with a mistake in them."""
        names, values = dict(self.names), dict(self.values)
        if values and self.chance(0.03):
            values[":unused"] = {"S": "any"}
        elif values and self.chance(0.03):
            values.popitem()
        if self.chance(0.02):
            names["#unused"] = "any"
        elif names and self.chance(0.03):
            names.popitem()
        placeholders = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}
        return given | {name: stands for name, stands in placeholders.items() if stands}


def number(dice: random.Random) -> dict[str, Any]:
    """Return a number."""
    return {"N": dice.choice(["0", "1", "2", "5", "-3", "1.50", "1E2", "0.1", "10"])}


def scalar(dice: random.Random) -> dict[str, Any]:
    """Return a value that can be compared, mostly."""
    texts = {"S": dice.choice(["", "a", "ab", "b", "ä"])}
    others: list[dict[str, Any]] = [{"BOOL": dice.random() < 0.5}, {"NULL": True}, {"B": b"ab"}]
    return dice.choice([texts, texts, number(dice), number(dice), number(dice), *others])


def members(dice: random.Random) -> dict[str, Any]:
    """Return a set."""
    if dice.random() < 0.5:
        return {"SS": dice.sample(["a", "b", "ab", "ä"], dice.randint(1, 3))}
    return {"NS": dice.sample(["1", "2", "10", "0.5"], dice.randint(1, 3))}


def value(dice: random.Random, depth: int = 2) -> dict[str, Any]:
    """Return a value of any kind."""
    if depth == 0 or dice.random() < 0.5:
        return scalar(dice)
    if dice.random() < 0.3:
        return members(dice)
    if dice.random() < 0.5:
        return {"L": [value(dice, depth - 1) for _ in range(dice.randint(0, 3))]}
    return {"M": {name: value(dice, depth - 1) for name in dice.sample("xyz", dice.randint(0, 3))}}


def item(dice: random.Random) -> dict[str, Any]:
    """Return the attributes of an item, beside its key."""
    usual: dict[str, Any] = {
        "k": {"S": dice.choice("ab")},
        "n": number(dice),
        "t": {"S": dice.choice(["a", "b", "c"])},
        "a": scalar(dice),
        "b": value(dice),
        "u": {"SS": dice.sample(["a", "b", "c"], 2)},
        "v": {"NS": dice.sample(["1", "2", "3"], 2)},
        "w": {"B": b"ab"},
        "o": {"BOOL": True},
        "l": {"L": [value(dice, 1) for _ in range(dice.randint(0, 3))]},
        "d": {
            "M": {"x": number(dice), "y": {"L": [scalar(dice)]}, "z": {"M": {"x": scalar(dice)}}}
        },
    }
    kept = {name: one for name, one in usual.items() if dice.random() < 0.75}
    if dice.random() < 0.1:
        kept["k"] = value(dice)
    return kept

"""What an expression is made of. Names and values are still placeholders in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A place in an item: names, `#placeholders` of names, and places in lists."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A value of the request, by its `:placeholder`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its operands."""

    function: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """A comparison, BETWEEN, IN, AND, OR or NOT; in an update `+` or `-`."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in parentheses; they are gone from the tree that is returned."""

    inside: Node


Node = Path | Given | Call | Operation | Group


@dataclass(frozen=True, slots=True)
class Action:
    """A change of an update: SET and the value, REMOVE, ADD or DELETE and the given value."""

    section: str
    path: Path
    value: Node | None = None

"""The text of each node of a syntax tree, so that a change leaves all the rest as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

LOGS = re.compile(r"_?log(_\w+)?|debug|info|warning|error|exception")


@dataclass(frozen=True)
class Edit:
    """A change of a source: the bytes from `start` to `end` become `new`."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Change:
    """One change: its kind, what it is in words, and the nodes that it begins and ends with."""

    kind: str
    what: str
    edits: Sequence[Edit]
    first: Any
    last: Any


class Source:
    """A source and its syntax tree; `parents` has the node that each node is a part of."""

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self._lines = [0, *accumulate(map(len, self._bytes.splitlines(keepends=True)))]
        self.tree = ast.parse(text)
        self.parents: dict[ast.AST, ast.AST] = {
            part: node for node in ast.walk(self.tree) for part in ast.iter_child_nodes(node)
        }

    def span(self, node: Any, last: Any = None) -> tuple[int, int]:
        """Return where a node begins, and where it ends, or another after it does."""
        last = last or node
        # ast counts the bytes of a line, in UTF-8.
        return (
            self._lines[node.lineno - 1] + node.col_offset,
            self._lines[last.end_lineno - 1] + last.end_col_offset,
        )

    def text(self, node: ast.AST) -> str:
        """Return the text of a node."""
        start, end = self.span(node)
        return self._bytes[start:end].decode()

    def replace(self, node: ast.AST, new: str) -> Edit:
        """Put another text in the place of a node."""
        return Edit(*self.span(node), new)

    def replace_all(self, nodes: Sequence[ast.AST], new: str) -> Edit:
        """Put another text in the place of nodes that follow each other."""
        return Edit(*self.span(nodes[0], nodes[-1]), new)

    def drop(self, part: ast.AST, parts: Sequence[ast.AST]) -> Edit:
        """Take one out of `parts` that commas part, with one of the commas."""
        place, spans = parts.index(part), [self._whole(one, parts) for one in parts]
        if place + 1 < len(parts):
            return Edit(spans[place][0], spans[place + 1][0], "")
        return Edit(spans[place - 1][1] if place else spans[place][0], spans[place][1], "")

    def drop_lines(self, first: int, last: int) -> Edit:
        """Take out whole lines."""
        return Edit(self._lines[first - 1], self._lines[last], "")

    def before(self, node: ast.AST, mark: bytes) -> int:
        """Return where `mark` is that comes before a node."""
        return self._bytes.rindex(mark, 0, self.span(node)[0])

    def between(self, start: int, end: int) -> str:
        """Return the text from one place to another."""
        return self._bytes[start:end].decode()

    def edited(self, *edits: Edit) -> str:
        """Return the source with changes made."""
        changed = self._bytes
        for edit in sorted(edits, key=lambda edit: -edit.start):
            changed = changed[: edit.start] + edit.new.encode() + changed[edit.end :]
        return changed.decode()

    def _whole(self, part: ast.AST, parts: Sequence[ast.AST]) -> tuple[int, int]:
        """Return the span of a part with the parentheses around it, which no tree has."""
        start, end = self.span(part)
        while len(parts) > 1:
            before = self._bytes[:start].rstrip()
            after = self._bytes[end:].lstrip()
            if not (before.endswith(b"(") and after.startswith(b")")):
                break
            start, end = len(before) - 1, len(self._bytes) - len(after) + 1
        return start, end


def change(kind: str, what: str, edit: Edit, first: ast.AST, last: ast.AST | None = None) -> Change:
    """Return a change by one edit."""
    return Change(kind, " ".join(what.split()), [edit], first, last or first)


def short(text: str) -> str:
    """Return the beginning of a text, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def callee(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def is_log(call: ast.Call) -> bool:
    """Return whether a call logs, which changes nothing that happens."""
    return LOGS.fullmatch(callee(call)) is not None

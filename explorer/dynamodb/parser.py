"""The grammar of expressions: text to a tree.

DynamoDB has one grammar for conditions, filters and key conditions, one for updates and one for
projections: "Using expressions in DynamoDB" in the developer's guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import NoReturn, TypeVar

from explorer.calls import UnknownCallError
from explorer.dynamodb.refusals import invalid
from explorer.dynamodb.reserved import RESERVED
from explorer.dynamodb.tree import Action, Call, Given, Group, Node, Operation, Path

_TOKEN = re.compile(r"\s*([#:]?\w+|<>|<=|>=|\S)", re.ASCII)
_NAME = re.compile(r"#\w+|[A-Za-z]\w*", re.ASCII)
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_WORDS = ("AND", "OR", "NOT", "BETWEEN", "IN")
_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_END = "<EOF>"

# The functions, and how many operands each has.
OPERANDS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
    "if_not_exists": 2,
    "list_append": 2,
}

Part = TypeVar("Part")


@lru_cache(maxsize=4096)
def parse_condition(text: str, kind: str) -> Node:
    """Return a condition as a tree; `kind` is the parameter that it came in."""
    parser = _Parser(text, kind)
    tree = parser.disjunction()
    parser.expect(_END)
    parser.check_condition(tree)
    return _bare(tree)


@lru_cache(maxsize=4096)
def parse_update(text: str) -> Sequence[Action]:
    """Return the changes of an update, in the order in which they are written."""
    parser = _Parser(text, "UpdateExpression")
    actions: list[Action] = []
    seen: set[str] = set()
    while not actions or not parser.is_at(_END):
        section = parser.take().upper()
        if section not in _SECTIONS:
            parser.fail(back=1)
        if section in seen:
            parser.refuse(f'The "{section}" section can only be used once in an update expression;')
        seen.add(section)
        actions += parser.listed(partial(parser.action, section))
    return tuple(actions)


@lru_cache(maxsize=4096)
def parse_projection(text: str) -> Sequence[Path]:
    """Return the paths of a projection."""
    parser = _Parser(text, "ProjectionExpression")
    paths = parser.listed(parser.path)
    parser.expect(_END)
    return tuple(paths)


class _Parser:
    def __init__(self, text: str, kind: str) -> None:
        self._text, self._kind, self._at = text, kind, 0
        if not text.strip():
            self.refuse("The expression can not be empty;")
        found = list(_TOKEN.finditer(text))
        self._tokens = [match.group(1) for match in found]
        self._spans = [match.span(1) for match in found]

    def refuse(self, message: str) -> NoReturn:
        raise invalid(f"Invalid {self._kind}: {message}")

    def fail(self, back: int = 0) -> NoReturn:
        """Refuse the token here, with the ones beside it, as DynamoDB does."""
        self._at -= back
        last = len(self._spans) - 1
        start, _ = self._spans[min(max(self._at - 1, 0), last)]
        _, end = self._spans[min(self._at + 1, last)]
        self.refuse(f'Syntax error; token: "{self.peek()}", near: "{self._text[start:end]}"')

    def peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else _END

    def is_at(self, word: str) -> bool:
        return self.peek().upper() == word

    def take(self) -> str:
        token = self.peek()
        self._at += 1
        return token

    def expect(self, word: str) -> None:
        if not self.is_at(word):
            self.fail()
        self._at += 1

    def listed(self, one: Callable[[], Part]) -> list[Part]:
        found = [one()]
        while self.is_at(","):
            self.take()
            found.append(one())
        return found

    def disjunction(self) -> Node:
        return self._chain("OR", lambda: self._chain("AND", self._negation))

    def _chain(self, word: str, one: Callable[[], Node]) -> Node:
        found = [one()]
        while self.is_at(word):
            self.take()
            found.append(one())
        if len(found) == 1:
            return found[0]
        for node in found:
            self.check_condition(node)
        return Operation(word, tuple(map(_bare, found)))

    def _negation(self) -> Node:
        if not self.is_at("NOT"):
            return self._comparison()
        self.take()
        negated = self._negation()
        self.check_condition(negated)
        return Operation("NOT", (_bare(negated),))

    def _comparison(self) -> Node:
        left = self._atom()
        word = self.peek().upper()
        if word in _COMPARATORS:
            self.take()
            return Operation(word, (self._compared(left), self._compared(self._atom())))
        if word == "BETWEEN":
            self.take()
            low = self._atom()
            self.expect("AND")
            return Operation(word, tuple(map(self._compared, (left, low, self._atom()))))
        if word == "IN":
            self.take()
            self.expect("(")
            options = self.listed(self._atom)
            self.expect(")")
            return Operation(word, tuple(map(self._compared, (left, *options))))
        return left

    def _atom(self) -> Node:
        if not self.is_at("("):
            return self._operand()
        self.take()
        inside = self.disjunction()
        self.expect(")")
        if isinstance(inside, Group):
            self.refuse("The expression has redundant parentheses;")
        return Group(inside)

    def _compared(self, node: Node) -> Node:
        """Return what is compared: a value of some kind."""
        node = _bare(node)
        if isinstance(node, Operation):
            self.fail()
        return self._valued(node)

    def _valued(self, node: Node) -> Node:
        if isinstance(node, Call) and node.function != "size":
            self._misused(node)
        return node

    def check_condition(self, node: Node) -> None:
        """Refuse what neither holds nor does not: a path, a value, a size."""
        node = _bare(node)
        if isinstance(node, Path | Given):
            self.fail()
        if isinstance(node, Call) and node.function in ("size", "if_not_exists", "list_append"):
            self._misused(node)

    def _misused(self, call: Call) -> NoReturn:
        self.refuse(
            "The function is not allowed to be used this way in an expression; "
            f"function: {call.function}"
        )

    def _operand(self) -> Node:
        token = self.peek()
        if token.startswith(":") and len(token) > 1:
            return Given(self.take())
        if self.peek(1) == "(" and _NAME.fullmatch(token) and token.upper() not in _WORDS:
            self.take()
            self.take()
            operands = tuple(self.listed(self._operand))
            self.expect(")")
            return self._known(Call(token, operands))
        return self.path()

    def _known(self, call: Call) -> Call:
        needed = OPERANDS.get(call.function)
        if needed is None:
            raise UnknownCallError(
                f"DynamoDB's function {call.function} is not known to the explorer"
            )
        if needed != len(call.operands):
            self.refuse(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {call.function}, "
                f"number of operands: {len(call.operands)}"
            )
        return call

    def path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.peek() in (".", "["):
            if self.take() == ".":
                parts.append(self._name())
                continue
            if not self.peek().isdecimal():
                self.fail()
            parts.append(int(self.take()))
            self.expect("]")
        return Path(tuple(parts))

    def _name(self) -> str:
        token = self.peek()
        if not _NAME.fullmatch(token) or token.upper() in _WORDS:
            self.fail()
        if token.upper() in RESERVED:
            self.refuse(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return self.take()

    def action(self, section: str) -> Action:
        path = self.path()
        if section == "REMOVE":
            return Action(section, path)
        if section == "SET":
            self.expect("=")
            return Action(section, path, self._assigned())
        given = self._operand()
        if not isinstance(given, Given):
            self.fail(back=1)
        return Action(section, path, given)

    def _assigned(self) -> Node:
        """Return the value of an assignment: one operand, or the sum or difference of two."""
        left = self._term()
        if self.peek() not in ("+", "-"):
            return _bare(left)
        if isinstance(_bare(left), Operation):
            self.fail()
        sign = self.take()
        right = self._term()
        if isinstance(_bare(right), Operation):
            self.fail()
        return Operation(sign, (_bare(left), _bare(right)))

    def _term(self) -> Node:
        if not self.is_at("("):
            node = self._operand()
            self._check_term(node)
            return node
        self.take()
        inside = self._assigned()
        self.expect(")")
        return Group(inside)

    def _check_term(self, node: Node) -> None:
        if not isinstance(node, Call):
            return
        inner = [operand for operand in node.operands if isinstance(operand, Call)]
        for call in (node, *inner):
            # A list_append in another function is refused: test_update_expression_function_nesting
            # in ScyllaDB's test/alternator/test_update_expression.py.
            if call.function not in ("if_not_exists", "list_append") or (
                call is not node and call.function == "list_append"
            ):
                self._misused(call)
        for call in inner:
            self._check_term(call)


def _bare(node: Node) -> Node:
    return node.inside if isinstance(node, Group) else node

"""The changes that are made of each kind of node."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from explorer.mutation.dynamodb import expression_changes
from explorer.mutation.source import Change, Edit, Source, change, short
from explorer.mutation.statements import except_changes, order_changes, statement_changes

# Whatever a value is, this is another of its type.
OTHER = (
    '(lambda v: not v if isinstance(v, bool) else "other" if isinstance(v, str)'
    " else v + 1 if isinstance(v, (int, float)) else v.replace(year=2000) if hasattr(v, 'year')"
    " else type(v)(int=1) if hasattr(v, 'clock_seq') else None)"
)
KEYS = ("idempotency_key",)
COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
CALCULATED: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}


def changes_of(source: Source, node: ast.AST, *, runs: bool) -> Iterator[Change]:
    """Yield the changes that can be made of a node itself, not of its parts."""
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            yield from _condition(source, node.test)
        case ast.comprehension():
            for test in node.ifs:
                yield from _condition(source, test)
        case ast.match_case():
            if node.guard:
                yield from _condition(source, node.guard)
        case ast.Match() if len(node.cases) > 1:
            for case in node.cases:
                edit = source.drop_lines(case.pattern.lineno, _last_line(case.body[-1]))
                text = f"`case {source.text(case.pattern)}` removed"
                yield change("case", text, edit, case.body[0], case.body[-1])
        case ast.BoolOp():
            for value in node.values:
                kept = [f"({source.text(one)})" for one in node.values if one is not value]
                word = " and " if isinstance(node.op, ast.And) else " or "
                text = f"`{short(source.text(value))}` dropped from `{short(source.text(node))}`"
                yield change("clause", text, source.replace(node, word.join(kept)), node)
        case ast.UnaryOp(ast.Not() | ast.USub()):
            text = f"`{source.text(node)}` becomes `{source.text(node.operand)}`"
            yield change("not", text, source.replace(node, f"({source.text(node.operand)})"), node)
        case ast.Compare():
            yield from _comparison(source, node)
        case ast.BinOp():
            yield from _arithmetic(source, node)
        case ast.Constant():
            yield from _constant(source, node)
        case ast.JoinedStr():
            yield from _expressions(source, node)
            literal = source.text(node)
            if found := re.fullmatch(r"(f[\"']+)([^\s{}\"']+)(\{.*)", literal):
                edit = source.replace(node, f"{found[1]}other{found[3]}")
                yield change("string", f"`{found[2]}` of `{literal}` becomes `other`", edit, node)
        case ast.Call():
            yield from _arguments(source, node)
        case ast.Dict():
            yield from _entries(source, node)
        case ast.List() | ast.Set() | ast.Tuple() if not _is_taken_apart(source, node):
            yield from _elements(source, node)
        case ast.ClassDef():
            for keyword in node.keywords:
                if keyword.arg not in ("frozen", "kw_only"):  # these are for type checkers
                    parts = sorted([*node.bases, *node.keywords], key=source.span)
                    text = f"`{source.text(keyword)}` dropped"
                    yield change("keyword", text, source.drop(keyword, parts), keyword)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for one in node.decorator_list:
                if isinstance(one, ast.Call):
                    start = source.before(one, b"@")
                    edit = Edit(start, source.span(one)[1], "")
                    yield change("decorator", f"`@{source.text(one)}` removed", edit, one)
        case ast.stmt():
            yield from statement_changes(source, node)
        case ast.ExceptHandler():
            yield from except_changes(source, node)
    if runs and isinstance(body := getattr(node, "body", None), list):
        yield from order_changes(source, body)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not runs:
        yield from order_changes(source, node.body)


def _condition(source: Source, test: ast.expr) -> Iterator[Change]:
    for value in ("True", "False"):
        text = f"condition `{short(source.text(test))}` becomes {value}"
        yield change("condition", text, source.replace(test, value), test)


def _comparison(source: Source, node: ast.Compare) -> Iterator[Change]:
    sides = [node.left, *node.comparators]
    for place, operator in enumerate(node.ops):
        other = COMPARED[type(operator)]
        start, end = source.span(sides[place])[1], source.span(sides[place + 1])[0]
        between = source.between(start, end)
        mark = re.search(r"not\s+in|is\s+not|[=!<>]=|[<>]|\bin\b|\bis\b", between)
        if mark is None:
            continue
        edit = Edit(start, end, between[: mark.start()] + other + between[mark.end() :])
        text = f"`{mark.group()}` becomes `{other}` in `{short(source.text(node))}`"
        yield change("comparison", text, edit, node)
    if any(isinstance(side, ast.Attribute) and side.attr == "status" for side in sides):
        yield from _condition(source, node)


def _arithmetic(source: Source, node: ast.BinOp) -> Iterator[Change]:
    if type(node.op) not in CALCULATED or any(map(_is_text, (node.left, node.right))):
        return
    other = CALCULATED[type(node.op)]
    left, right = f"({source.text(node.left)})", f"({source.text(node.right)})"
    text = f"`{short(source.text(node))}` calculates by `{other}`"
    yield change("arithmetic", text, source.replace(node, f"({left} {other} {right})"), node)


def _constant(source: Source, node: ast.Constant) -> Iterator[Change]:
    value, literal = node.value, source.text(node)
    if isinstance(value, bool):
        yield change(
            "constant", f"`{value}` becomes {not value}", source.replace(node, str(not value)), node
        )
    elif isinstance(value, int | float):
        for other in dict.fromkeys((value + 1, value - 1, 0)):
            if other != value:
                text = f"`{literal}` becomes {other}"
                yield change("constant", text, source.replace(node, f"({other})"), node)
    elif isinstance(value, str):
        yield from _expressions(source, node)
        if not _is_prose(source, node, value) and not isinstance(
            source.parents[node], ast.JoinedStr
        ):
            yield change(
                "string", f"`{literal}` becomes `other`", source.replace(node, '"other"'), node
            )


def _expressions(source: Source, node: ast.expr) -> Iterator[Change]:
    parent = source.parents[node]
    if isinstance(parent, ast.keyword) and parent.arg == "KeyConditionExpression":
        return
    if isinstance(parent, ast.Raise):
        return
    for text, literal in expression_changes(source.text(node)):
        yield change("expression", text, source.replace(node, literal), node)


def _arguments(source: Source, node: ast.Call) -> Iterator[Change]:
    parts = sorted([*node.args, *node.keywords], key=source.span)
    for keyword in node.keywords:
        text = f"`{short(source.text(keyword))}` dropped"
        yield change("keyword", text, source.drop(keyword, parts), keyword)
        if keyword.arg in KEYS:
            for key in ("None", "__import__('uuid').UUID(int=1)", "__import__('uuid').uuid4()"):
                text = f"the key is `{key}` instead of `{source.text(keyword.value)}`"
                yield change("key", text, source.replace(keyword.value, key), keyword)
        elif keyword.arg and _is_value(keyword.value):
            yield _other(source, keyword.value, source.text(keyword))
    for value in node.args:
        if isinstance(value, ast.Attribute):
            yield _other(source, value, f"{source.text(node.func)}({source.text(value)})")


def _entries(source: Source, node: ast.Dict) -> Iterator[Change]:
    parts: list[Any] = [
        _Entry(key, value) for key, value in zip(node.keys, node.values, strict=True)
    ]
    for place, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
        name = source.text(key) if key else f"**{source.text(value)}"
        if key is None:
            parts[place].col_offset -= 2  # the stars are no part of the tree
        text = f"entry `{short(name)}` dropped"
        yield change("entry", text, source.drop(parts[place], parts), key or value, value)
        if key and _is_value(value):
            yield _other(source, value, f"{name}: {source.text(value)}")


class _Entry:
    """An entry of a dict, as a node of a tree that it is not."""

    def __init__(self, key: ast.expr | None, value: ast.expr) -> None:
        first = key or value
        self.lineno, self.col_offset = first.lineno, first.col_offset
        self.end_lineno, self.end_col_offset = value.end_lineno, value.end_col_offset


def _elements(source: Source, node: ast.List | ast.Set | ast.Tuple) -> Iterator[Change]:
    for one in node.elts:
        kept = [source.text(other) for other in node.elts if other is not one]
        begin, end = "()" if isinstance(node, ast.Tuple) else "[]"
        if isinstance(node, ast.Set):
            begin, end = ("{", "}") if kept else ("set(", ")")
        inner = ", ".join(f"({one})" if not one.startswith("*") else one for one in kept)
        comma = "," if isinstance(node, ast.Tuple) and kept else ""
        text = f"element `{short(source.text(one))}` dropped"
        yield change("element", text, source.replace(node, f"{begin}{inner}{comma}{end}"), one)


def _other(source: Source, value: ast.expr, where: str) -> Change:
    edit = source.replace(value, f"{OTHER}({source.text(value)})")
    return change("value", f"another value in `{short(where)}`", edit, value)


def _is_value(node: ast.expr) -> bool:
    """Return whether this is computed, and no class."""
    if isinstance(node, ast.Name):
        return not node.id[0].isupper()
    return isinstance(node, ast.Attribute | ast.Call)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _is_prose(source: Source, node: ast.AST, value: str) -> bool:
    """Return whether a text is for people: a sentence, or part of an error."""
    if value.count(" ") >= 3:
        return True
    while not isinstance(node, ast.stmt):
        node = source.parents[node]
    return isinstance(node, ast.Raise) and " " in value


def _is_taken_apart(source: Source, node: ast.AST) -> bool:
    """Return whether a tuple is assigned to names, one by one, or is such names."""
    parent = source.parents[node]
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return True
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Tuple):
        return True
    return isinstance(parent, ast.Subscript)


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno

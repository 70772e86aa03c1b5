"""The changes of statements: gone, in another order, or with another result."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from explorer.mutation.source import Change, Source, callee, change, is_log, short

PURE = ("asdict", "dict", "int", "len", "list", "set", "str", "uuid5")


def statement_changes(source: Source, node: ast.stmt) -> Iterator[Change]:
    """Yield the changes of a statement as a whole."""
    text = short(source.text(node))
    match node:
        case ast.Expr(ast.Call() as call):
            if not is_log(call):
                yield change("removed", f"`{text}` removed", source.replace(node, "pass"), node)
        case ast.Expr(ast.Yield() | ast.YieldFrom()):
            edit = source.replace(node, "yield from ()")
            yield change("removed", f"`{text}` removed", edit, node)
        case ast.Raise():
            yield change("raise", f"`{text}` removed", source.replace(node, "pass"), node)
        case ast.Return(value) if value and ast.unparse(value) != "None":
            edit = source.replace(node, "return None")
            yield change("return", f"`{text}` becomes `return None`", edit, node)
        case (
            ast.AugAssign() | ast.Delete() | ast.Assign(targets=[ast.Subscript() | ast.Attribute()])
        ):
            yield change("removed", f"`{text}` removed", source.replace(node, "pass"), node)
        case ast.Assign(targets=[ast.Name() as name], value=value) if _is_bound_before(
            source, name
        ):
            edit = source.replace(node, source.text(value))
            yield change("removed", f"`{name.id} =` removed from `{text}`", edit, node)


def except_changes(source: Source, node: ast.ExceptHandler) -> Iterator[Change]:
    """Yield an except clause that does not catch, and one that does nothing."""
    kind = source.text(node.type) if node.type else ""
    changed = [("raise", "does not catch"), ("pass", "does nothing")]
    function = source.parents[source.parents[node]]
    if ast.unparse(node.body[0]) == "return None" and source.parents[node] is _last(function):
        changed.pop()  # at the end of a function that is the same
    for new, what in changed:
        text = f"`except {kind}` {what}"
        yield change(
            "except", text, source.replace_all(node.body, new), node.body[0], node.body[-1]
        )


def order_changes(source: Source, body: list[ast.stmt]) -> Iterator[Change]:
    """Yield the other order of each two statements that call something."""
    for one, two in pairwise(body):
        if not (_calls(one) and _calls(two)) or isinstance(two, ast.Return | ast.Raise):
            continue
        if isinstance(one, ast.FunctionDef) or isinstance(two, ast.FunctionDef):
            continue
        bound = {name for name in _names(one, ast.Store) if not _is_bound(source, one, name)}
        # What is done only after the first has said so is done before it, whatever it will say.
        match two:
            case ast.If(body=[ast.Expr(ast.Call()) as done], orelse=[]) if bound & _names(
                two.test, ast.Load
            ) and not bound & _names(done, ast.Load):
                indent = " " * one.col_offset
                edits = [
                    source.replace(one, f"{source.text(done)}\n{indent}{source.text(one)}"),
                    source.replace(done, "pass"),
                ]
                text = f"`{short(source.text(done))}` before `{short(source.text(one))}`"
                yield Change("order", " ".join(text.split()), edits, one, two)
                continue
        if bound & _names(two, ast.Load):
            continue
        edits = [source.replace(one, source.text(two)), source.replace(two, source.text(one))]
        text = f"`{short(source.text(two))}` before `{short(source.text(one))}`"
        yield Change("order", " ".join(text.split()), edits, one, two)


def _is_bound_before(source: Source, name: ast.Name) -> bool:
    return _is_bound(source, name, name.id)


def _is_bound(source: Source, node: ast.AST, name: str) -> bool:
    """Return whether the function of a node has a name bound before it."""
    outer: ast.AST | None = node
    while outer is not None and not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
        outer = source.parents.get(outer)
    if outer is None:
        return False
    begin = source.span(node)[0]
    return any(
        (isinstance(one, ast.arg) and one.arg == name)
        or (
            isinstance(one, ast.Name)
            and isinstance(one.ctx, ast.Store)
            and one.id == name
            and source.span(one)[0] < begin
        )
        for one in ast.walk(outer)
    )


def _last(function: ast.AST) -> ast.AST | None:
    body = getattr(function, "body", None)
    return body[-1] if isinstance(body, list) else None


def _calls(node: ast.AST) -> bool:
    """Return whether something is called that could do something: no class, for one."""
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
    return any(
        not is_log(one) and callee(one) not in PURE and not callee(one)[:1].isupper()
        for one in calls
    )


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, context)
    }

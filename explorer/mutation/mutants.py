"""Make the mutants of a source: each differs from it in one place."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from explorer.mutation.changes import changes_of
from explorer.mutation.source import Change, Source, callee, is_log


@dataclass(frozen=True)
class Mutant:
    """A source with one change.

    id: names the change by its function and its text, so that it stays the same when lines move.
    lines: the first and the last line by which a run reaches the change; None for what runs when
        the module is loaded.
    """

    id: str
    file: str
    line: int
    kind: str
    change: str
    source: str = field(repr=False)
    lines: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Return where it differs, and how."""
        return f"{self.file}:{self.line} {self.change}"


def mutants(file: str, text: str) -> list[Mutant]:
    """Return the mutants of a file's text, always in the same order."""
    source, made = Source(text), list[Mutant]()
    seen, texts = Counter[str](), {text}
    for node, scope, runs in _parts(source.tree, (), runs=False):
        for change in changes_of(source, node, runs=runs):
            changed = source.edited(*change.edits)
            if changed in texts or not _is_python(changed):
                continue
            texts.add(changed)
            name = f"{file}:{'.'.join(scope)}:{change.kind}:{change.what}"
            seen[name] += 1
            made.append(
                Mutant(
                    id=name if seen[name] == 1 else f"{name}:{seen[name]}",
                    file=file,
                    line=change.first.lineno,
                    kind=change.kind,
                    change=change.what,
                    source=changed,
                    lines=_lines(source, change) if runs or change.kind == "order" else None,
                )
            )
    return made


def _parts(
    node: ast.AST, scope: tuple[str, ...], *, runs: bool
) -> Iterator[tuple[ast.AST, tuple[str, ...], bool]]:
    """Yield in order what may be changed, its scope, and whether it runs in a call of a function.

    Types, imports, docstrings and what is logged are left out.
    """
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
            return
        case ast.If(ast.Name("TYPE_CHECKING")):
            return
        case ast.ClassDef() if any(ast.unparse(base) == "Protocol" for base in node.bases):
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node, (*scope, node.name), runs
            defaults = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            for outside in [*node.decorator_list, *defaults]:
                yield from _parts(outside, (*scope, node.name), runs=runs)
            for statement in node.body:
                yield from _parts(statement, (*scope, node.name), runs=True)
            return
        case ast.ClassDef():
            yield node, (*scope, node.name), runs
            for statement in node.body:
                yield from _parts(statement, (*scope, node.name), runs=runs)
            return
        case ast.AnnAssign():
            yield node, scope, runs
            if not runs:
                yield from _calls(node.annotation, (*scope, ast.unparse(node.target)))
            if node.value:
                yield from _parts(node.value, scope, runs=runs)
            return
        case ast.Assign(value=ast.Subscript()) if not runs:  # a name for a type
            yield from _calls(node.value, (*scope, ast.unparse(node.targets[0])))
            return
        case ast.Call():
            name = callee(node)
            if is_log(node) or name in ("TypeVar", "isinstance"):
                return
            yield node, scope, runs
            if name == "cast":
                yield from _parts(node.args[1], scope, runs=runs)
                return
        case _:
            yield node, scope, runs
    if not isinstance(node, ast.JoinedStr):
        for child in ast.iter_child_nodes(node):
            yield from _parts(child, scope, runs=runs)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _calls(
    annotation: ast.AST, scope: tuple[str, ...]
) -> Iterator[tuple[ast.AST, tuple[str, ...], bool]]:
    """Yield the parts of the calls in a type, such as a bound."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Call):
            yield from _parts(node, scope, runs=False)


def _lines(source: Source, change: Change) -> tuple[int, int]:
    """Return the lines of what is changed: of its statement, unless that has others in it."""
    node: ast.AST = change.first
    while not isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
        node = source.parents[node]
    simple = isinstance(node, ast.stmt) and not hasattr(node, "body") and node is not change.first
    first = node if simple else change.first
    last = max(_end(first), _end(change.last))
    return _begin(first), last


def _begin(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def _end(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0))

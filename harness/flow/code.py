"""Which events the code of a service makes, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

EVENTS = "events.py"


def built(service: str, sources: Mapping[str, str]) -> tuple[str, ...]:
    """Answer the events that a service's modules make, by name and sorted; `sources` by file name.

    That is every class of its events.py that has a status and is called, and whatever is made an
    entry for the bus, wherever it is declared.
    """
    modules = {name: ast.parse(text) for name, text in sources.items() if name != EVENTS}
    known = set(_events(ast.parse(sources.get(EVENTS, ""))))
    found: set[str] = set()
    for module in modules.values():
        names = _Names(module, f"{service}.events")
        for call in _of(module, ast.Call):
            found |= {name for name in [names.of(call.func)] if name in known}
        for function in _functions(module):
            found |= set(_entries(function, names))
    return tuple(sorted(found))


class _Names:
    """What things are called where they are declared."""

    def __init__(self, module: ast.Module, events: str) -> None:
        package, _, last = events.rpartition(".")
        self._modules, self._classes = {events}, dict[str, str]()
        for statement in _of(module, ast.ImportFrom):
            for alias in statement.names:
                name = alias.asname or alias.name
                if statement.module == package and alias.name == last:
                    self._modules.add(name)
                else:
                    self._classes[name] = alias.name
        for imported in _of(module, ast.Import):
            for alias in imported.names:
                if alias.name == events and alias.asname:
                    self._modules.add(alias.asname)

    def of(self, expression: ast.expr) -> str | None:
        """Answer the name of the class that an expression names, or None."""
        match expression:
            case ast.Name(name):
                return self._classes.get(name, name)
            case ast.Attribute(value, name) if ast.unparse(value) in self._modules:
                return name
        return None


def _events(module: ast.Module) -> Iterator[str]:
    """Yield the classes that have a status, of their own or by inheritance."""
    with_status: set[str] = set()
    for declared in _of(module, ast.ClassDef):
        targets = {ast.unparse(field.target) for field in _of(declared, ast.AnnAssign)}
        bases = {ast.unparse(base) for base in declared.bases}
        if "status" in targets or bases & with_status:
            with_status.add(declared.name)
            yield declared.name


def _entries(function: ast.AST, names: _Names) -> Iterator[str]:
    """Yield what a function makes an entry of: `Entry.of(source, event)`, or `Entry(...)`."""
    for call in _of(function, ast.Call):
        match call:
            case ast.Call(ast.Attribute(entry, "of"), [_, event]) if names.of(entry) == "Entry":
                yield from _classes(event, function, names)
            case ast.Call(entry) if names.of(entry) == "Entry":
                by_name = [key.value for key in call.keywords if key.arg == "detail_type"]
                for said in [*call.args[1:2], *by_name]:
                    if isinstance(said, ast.Constant):
                        yield str(said.value)


def _classes(value: ast.expr, function: ast.AST, names: _Names) -> Iterator[str]:
    """Yield the classes that a value may be of: of a call, of what was annotated or assigned."""
    match value:
        case ast.Call(called):
            yield from filter(None, [names.of(called)])
        case ast.Name(name):
            for argument in _of(function, ast.arg):
                if argument.arg == name and argument.annotation:
                    yield from _either(argument.annotation, names)
            for assigned in _of(function, ast.AnnAssign):
                if ast.unparse(assigned.target) == name:
                    yield from _either(assigned.annotation, names)
            for assign in _of(function, ast.Assign):
                if name in map(ast.unparse, assign.targets) and isinstance(assign.value, ast.Call):
                    yield from filter(None, [names.of(assign.value.func)])


def _either(annotation: ast.expr, names: _Names) -> Iterator[str]:
    match annotation:
        case ast.BinOp(left, ast.BitOr(), right):
            yield from _either(left, names)
            yield from _either(right, names)
        case _:
            yield from filter(None, [names.of(annotation)])


def _functions(module: ast.Module) -> Iterator[ast.AST]:
    """Yield every function, and the module itself for what stands in none."""
    yield from _of(module, ast.FunctionDef)
    loose = [one for one in module.body if not isinstance(one, ast.FunctionDef | ast.ClassDef)]
    yield ast.Module(loose, [])


def _of(tree: ast.AST, kind: type[Node]) -> Iterator[Node]:
    return (node for node in ast.walk(tree) if isinstance(node, kind))

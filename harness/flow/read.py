"""Read the flow from what the services declare, from their code, and from the templates."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from harness.emulator import ROOT
from harness.flow.code import EVENTS, built
from harness.flow.flow import Event, Flow, Rule, Service, Status, Transition
from harness.flow.templates import Deployed, read_templates
from plumbing.part import Part

CONTRACTS = ROOT / "contracts"


class Found(Struct, frozen=True, kw_only=True):
    """All that a flow is read from.

    By the name of a service: its part, None where it declares none, and its source by file name.
    By the name of a stack its template. By the name of an event the sample and the schema of its
    contract.
    """

    parts: Mapping[str, Part | None]
    sources: Mapping[str, Mapping[str, str]]
    templates: Mapping[str, Mapping[str, Any]]
    operations: tuple[str, ...]
    contracts: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]


def find(assembly: Path) -> Found:
    """Find it in the services' folders, in contracts/, and in what was synthesized."""
    folders = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))
    openapi = json.loads((CONTRACTS / "openapi.json").read_text())
    samples = sorted((CONTRACTS / "events").glob("*.sample.json"))
    return Found(
        parts={folder.name: _part(folder) for folder in folders},
        sources={
            folder.name: {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}
            for folder in folders
        },
        templates={
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in sorted(assembly.glob("*.template.json"))
        },
        operations=tuple(
            f"{method.upper()} {path}"
            for path, methods in openapi["paths"].items()
            for method in methods
        ),
        contracts={
            name: (json.loads(path.read_text()), json.loads(_schema(path).read_text()))
            for path in samples
            if _schema(path).exists()
            for name in [path.name.removesuffix(".sample.json")]
        },
    )


def read(found: Found) -> Flow:
    """Put the flow together, in the order in which a saga goes through it."""
    deployed = read_templates(found.templates.values(), found.operations)
    parts = _in_order(found.parts)
    said = [(name, kind) for name, part in parts.items() if part for kind in part.says]
    ends = {status for part in parts.values() if part for status in part.ends}
    transitions = tuple(_transitions(parts))
    services = [_service(name, part, found, deployed) for name, part in parts.items()]
    services += [
        _service(name, None, found, deployed) for name in deployed.sources if name not in parts
    ]
    order = {service.name: at for at, service in enumerate(services)}
    events = tuple(
        _event(kind, name, parts, deployed, ends, found.contracts.keys()) for name, kind in said
    )
    pivots = {event.status for event in events if event.pivot}
    flow = Flow(
        bus=deployed.bus,
        services=tuple(services),
        events=events,
        statuses=(),
        transitions=transitions,
        rules=tuple(
            Rule(
                name=pattern.name,
                bus=pattern.bus,
                service=pattern.service,
                matches=tuple(e.name for e in events if pattern.matches(e.source, e.name)),
                looks_at=pattern.looks_at,
            )
            for pattern in sorted(
                deployed.patterns, key=lambda one: (order.get(one.service or "", -1), one.name)
            )
        ),
        permissions=tuple(sorted(deployed.permissions, key=lambda one: order[one.service])),
    )
    after = {status for pivot in pivots for status in flow.reachable(pivot)}
    statuses = dict.fromkeys(one.to for one in transitions)
    return replace(
        flow,
        statuses=tuple(
            Status(name=name, end=name in ends, after_pivot=name in after) for name in statuses
        ),
    )


def status_of(kind: type[Struct] | None) -> str | None:
    """Answer the status of an event's struct, None if it has none."""
    return getattr(kind, "status", None)


def _part(folder: Path) -> Part | None:
    if not (folder / EVENTS).exists():
        return None
    events = importlib.import_module(f"{folder.name}.events")
    part: Part | None = getattr(events, "PART", None)
    return part


def _schema(sample: Path) -> Path:
    return sample.with_name(sample.name.replace(".sample.", ".schema."))


def _in_order(parts: Mapping[str, Part | None]) -> dict[str, Part | None]:
    """Order the services as a saga comes to them; those that it never comes to are the last."""
    parts = dict(sorted(parts.items()))
    left = dict(parts)
    ordered: dict[str, Part | None] = {}

    def follow(names: Iterable[str]) -> None:
        taken = {name: left.pop(name) for name in names if name in left}
        ordered.update(taken)
        for part in taken.values():
            for kind in part.says if part else ():
                follow(_hearers(kind, parts))

    follow(name for name, part in parts.items() if part and not part.hears and not part.repeats)
    return ordered | dict(sorted(left.items(), key=lambda one: one[1] is None))


def _hearers(kind: type[Struct], parts: Mapping[str, Part | None]) -> list[str]:
    """Answer the services that hear an event, which they know by its name alone."""
    return [
        name
        for name, part in parts.items()
        if part and part.hears and part.hears.__name__ == kind.__name__
    ]


def _transitions(parts: Mapping[str, Part | None]) -> Iterator[Transition]:
    for name, part in parts.items():
        if part is None or part.repeats:
            continue
        heard = part.hears.__name__ if part.hears else None
        start = status_of(part.hears)
        for kind in part.says:
            yield Transition(
                start=start,
                to=status_of(kind) or "",
                service=name,
                hears=heard,
                says=kind.__name__,
            )
        # An end that no event of its own leads to is one that the service says nothing of.
        silent = [end for end in part.ends if end not in map(status_of, part.says)]
        for end in silent:
            yield Transition(start=start, to=end, service=name, hears=heard, says=None)


def _service(name: str, part: Part | None, found: Found, deployed: Deployed) -> Service:
    sources = found.sources.get(name, {})
    declared = part or Part(hears=None)
    package = ast.get_docstring(ast.parse(sources.get("__init__.py", ""))) or ""
    return Service(
        name=name,
        does=package.partition("\n")[0],
        declared=part is not None,
        deployed=name in deployed.sources,
        source=deployed.sources.get(name, ""),
        calls=deployed.calls.get(name, ()),
        hears=declared.hears.__name__ if declared.hears else None,
        hears_at=status_of(declared.hears),
        says=_names(declared.says),
        failures=_names(declared.failures),
        pivot=declared.pivot.__name__ if declared.pivot else None,
        ends=declared.ends,
        compensates=declared.compensates,
        repeats=declared.repeats,
        builds=built(name, sources),
    )


def _event(
    kind: type[Struct],
    said_by: str,
    parts: Mapping[str, Part | None],
    deployed: Deployed,
    ends: Iterable[str],
    contracts: Iterable[str],
) -> Event:
    part = parts[said_by] or Part(hears=None)
    means = (kind.__doc__ or "").partition("\n")[0].removeprefix("Said: ")
    status = status_of(kind) or ""
    return Event(
        name=kind.__name__,
        means=means[:1].upper() + means[1:],
        source=deployed.sources.get(said_by, ""),
        said_by=said_by,
        heard_by=tuple(_hearers(kind, parts)),
        status=status,
        failure=kind in part.failures,
        pivot=kind is part.pivot,
        end=status in ends,
        contract=kind.__name__ in contracts,
    )


def _names(kinds: Iterable[type[Struct]]) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in kinds)

"""Read the flow from what the services declare, and from the templates that deploy them."""

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
from harness.flow.flow import Event, Flow, Rule, Service, Status, Transition
from harness.flow.templates import Deployed, read_templates
from plumbing.participant import Participant, Step

CONTRACTS = ROOT / "contracts"


class Found(Struct, frozen=True, kw_only=True):
    """All that a flow is read from.

    By the name of a service: its participant, None where it declares none, and its summary, the
    first line of its package. By the name of a stack: its template. By the name of an event: the
    sample and the schema of its contract.
    """

    participants: Mapping[str, Participant | None]
    summaries: Mapping[str, str]
    templates: Mapping[str, Mapping[str, Any]]
    operations: tuple[str, ...]
    contracts: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]


def find(assembly: Path) -> Found:
    """Find it in the services' folders, in contracts/, and in what was synthesized."""
    folders = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))
    openapi = json.loads((CONTRACTS / "openapi.json").read_text())
    samples = sorted((CONTRACTS / "events").glob("*.sample.json"))
    return Found(
        participants={folder.name: _participant(folder) for folder in folders},
        summaries={folder.name: _summary(folder) for folder in folders},
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
    participants = _in_order(found.participants)
    published = [
        (name, step)
        for name, participant in participants.items()
        if participant
        for step in participant.steps
    ]
    final = {step.to for _, step in published if step.final}
    transitions = tuple(_transitions(participants))
    services = [
        _service(name, participant, found, deployed) for name, participant in participants.items()
    ]
    services += [
        _service(name, None, found, deployed)
        for name in deployed.sources
        if name not in participants
    ]
    order = {service.name: at for at, service in enumerate(services)}
    events = tuple(
        _event(step, step.publishes, name, participants, deployed, found.contracts.keys())
        for name, step in published
        if step.publishes
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
            Status(name=name, final=name in final, after_pivot=name in after) for name in statuses
        ),
    )


def status_of(kind: type[Struct] | None) -> str | None:
    """Return the status of an event's struct, None if it has none."""
    return getattr(kind, "status", None)


def _participant(folder: Path) -> Participant | None:
    if not (folder / "events.py").exists():
        return None
    events = importlib.import_module(f"{folder.name}.events")
    participant: Participant | None = getattr(events, "PARTICIPANT", None)
    return participant


def _summary(folder: Path) -> str:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    return text.partition("\n")[0]


def _schema(sample: Path) -> Path:
    return sample.with_name(sample.name.replace(".sample.", ".schema."))


def _in_order(participants: Mapping[str, Participant | None]) -> dict[str, Participant | None]:
    """Order the services as a saga comes to them; those that it never comes to are the last."""
    participants = dict(sorted(participants.items()))
    left = dict(participants)
    ordered: dict[str, Participant | None] = {}

    def follow(names: Iterable[str]) -> None:
        taken = {name: left.pop(name) for name in names if name in left}
        ordered.update(taken)
        for participant in taken.values():
            for kind in participant.publishes if participant else ():
                follow(_consumers(kind, participants))

    follow(
        name
        for name, one in participants.items()
        if one and not one.consumes and not one.republishes
    )
    return ordered | dict(sorted(left.items(), key=lambda one: one[1] is None))


def _consumers(kind: type[Struct], participants: Mapping[str, Participant | None]) -> list[str]:
    """Return the services that consume an event, which they know by its name alone."""
    return [
        name
        for name, participant in participants.items()
        if participant and participant.consumes and participant.consumes.__name__ == kind.__name__
    ]


def _transitions(participants: Mapping[str, Participant | None]) -> Iterator[Transition]:
    for name, participant in participants.items():
        if participant is None or participant.republishes:
            continue
        for step in participant.steps:
            yield Transition(
                start=status_of(participant.consumes),
                to=step.to,
                service=name,
                consumes=participant.consumes.__name__ if participant.consumes else None,
                publishes=step.publishes.__name__ if step.publishes else None,
            )


def _service(
    name: str, participant: Participant | None, found: Found, deployed: Deployed
) -> Service:
    declared = participant or Participant(consumes=None)
    return Service(
        name=name,
        does=found.summaries.get(name, ""),
        declared=participant is not None,
        deployed=name in deployed.sources,
        source=deployed.sources.get(name, ""),
        calls=deployed.calls.get(name, ()),
        consumes=declared.consumes.__name__ if declared.consumes else None,
        consumes_at=status_of(declared.consumes),
        publishes=_names(declared.publishes),
        final_statuses=tuple(step.to for step in declared.steps if step.final),
        compensates=declared.compensates,
        republishes=declared.republishes,
    )


def _event(
    step: Step,
    kind: type[Struct],
    producer: str,
    participants: Mapping[str, Participant | None],
    deployed: Deployed,
    contracts: Iterable[str],
) -> Event:
    means = (kind.__doc__ or "").partition("\n")[0].removeprefix("Published: ")
    return Event(
        name=kind.__name__,
        means=means[:1].upper() + means[1:],
        source=deployed.sources.get(producer, ""),
        producer=producer,
        consumers=tuple(_consumers(kind, participants)),
        status=step.to,
        failure=step.failure,
        pivot=step.pivot,
        final=step.final,
        contract=kind.__name__ in contracts,
    )


def _names(kinds: Iterable[type[Struct]]) -> tuple[str, ...]:
    return tuple(kind.__name__ for kind in kinds)

"""Check the flow: what the services declare against each other, and against what is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.flow.flow import ANY, Event, Flow, Permission, Service
from harness.flow.templates import like


def check(flow: Flow) -> list[str]:
    """Return what is wrong, a sentence each, which names the thing and what to do."""
    checks = (_deployment, _declarations, _events, _statuses, _rules, _permissions)
    return list(dict.fromkeys(finding for one in checks for finding in one(flow)))


def _deployment(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        if service.deployed and not service.declared:
            yield (
                f"{service.name} is deployed and declares no participant: "
                f"end {_events_file(service.name)} with `PARTICIPANT = Participant(...)`."
            )
        if service.declared and not service.deployed:
            yield (
                f"{service.name} declares a participant and is not deployed: "
                "give it a class in infra/services.py."
            )
        if service.declared and service.deployed and not (service.consumes or service.calls):
            yield (
                f"Nothing calls {service.name}: let it consume an event, "
                "or give it a route or a schedule in infra/services.py."
            )


def _declarations(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        event = flow.event(service.consumes)
        if service.consumes and event is None:
            yield (
                f"{service.name} consumes {service.consumes}, which no service publishes: correct "
                f"`consumes` in {_events_file(service.name)}, or add a `Step` that publishes it."
            )
        if event and event.status != service.consumes_at:
            yield (
                f"{service.name} consumes {event.name} at {service.consumes_at}, and "
                f"{event.producer} publishes it at {event.status}: correct one's `status`."
            )
        yield from _compensation(flow, service)


def _compensation(flow: Flow, service: Service) -> Iterator[str]:
    undone = service.compensates
    if undone is None:
        return
    if service.consumes_at is None or service.consumes_at not in flow.reachable(undone):
        yield (
            f"{service.name} compensates {undone}, from which no order comes to it: "
            f"name a status before {service.consumes or 'it'} in {_events_file(service.name)}."
        )
    for event in flow.events:
        if event.pivot and service.consumes_at in flow.reachable(event.status):
            yield (
                f"{service.name} compensates {undone} after the pivot {event.name}, and from there "
                f"an order only goes forward: let it consume what comes before {event.name}."
            )


def _events(flow: Flow) -> Iterator[str]:
    producers: dict[str, str] = {}
    for event in flow.events:
        file = _events_file(event.producer)
        other = producers.setdefault(event.name, event.producer)
        if other != event.producer:
            yield (
                f"{event.name} is published by {other} and by {event.producer}, and an event is "
                "known by its name: rename one of them."
            )
        if not event.status:
            yield f"{event.name} has no status: give it a `status: ClassVar[str]` in {file}."
        if not event.contract:
            yield (
                f"{event.name} has no contract: write contracts/events/{event.name}.sample.json "
                "and run `make contracts`."
            )
        if not (event.consumers or event.final):
            yield (
                f"No service consumes {event.name}, which {event.producer} publishes: let one "
                f"consume it, or declare its step `final=True` in {file}."
            )
        elif event.failure and not event.final and not _is_compensated(flow, event):
            yield (
                f"{event.name} is a failure and nothing compensates what came before it: declare "
                f"what {' or '.join(event.consumers)} `compensates`, or the step `final=True` in "
                f"{file}."
            )


def _is_compensated(flow: Flow, event: Event) -> bool:
    """Return whether a service that consumes it, or a later one, compensates."""
    after = flow.reachable(event.status)
    return any(s.compensates and s.consumes_at in after for s in flow.services)


def _statuses(flow: Flow) -> Iterator[str]:
    final = {status.name for status in flow.statuses if status.final}
    consumers = {event.status: event.consumers for event in flow.events}
    stuck = {s.name for s in flow.statuses if not final & flow.reachable(s.name)}
    dead = {name for name in stuck if not flow.leaving(name)}
    for name in sorted(dead):
        # An event that no service consumes is a finding of its own.
        if name not in consumers:
            services = sorted({one.service for one in flow.transitions if one.to == name})
            yield (
                f"An order at {name} cannot reach a final status: declare the step to it "
                f"`final=True` in {' or '.join(map(_events_file, services))}."
            )
        elif consumers[name]:
            yield (
                f"An order at {name} cannot reach a final status: give "
                f"{' or '.join(consumers[name])} a step in `PARTICIPANT`."
            )
    # What leads only to a dead end is its consequence; what leads to none goes in a circle.
    circle = sorted(name for name in stuck if not dead & flow.reachable(name))
    if circle:
        yield (
            f"An order at {' or '.join(circle)} cannot reach a final status, it goes in a circle: "
            "declare a step to one of them `final=True`, or let a service leave them."
        )


def _rules(flow: Flow) -> Iterator[str]:
    for rule in flow.rules:
        if rule.service is None:
            yield f"The rule {rule.name} leads to no function of its stack: correct its target."
            continue
        service = flow.service(rule.service)
        if not service.declared:
            continue
        consumed, whose = service.consumes, f"The rule of {service.name}"
        if not rule.matches:
            meant = flow.event(consumed)
            yield f"{whose} matches no declared event: " + (
                f"let it match {meant.name} of {meant.source} in infra/services.py."
                if meant
                else "remove `consumes` from its class in infra/services.py."
            )
        for name in rule.matches:
            if name != consumed:
                yield (
                    f"{whose} matches {name}, and {rule.service} consumes "
                    f"{consumed or 'no event'}: narrow its pattern in infra/."
                )
        if rule.looks_at:
            yield (
                f"{whose} looks at `{'`, `'.join(rule.looks_at)}` too, so that some {consumed} "
                f"reach no service: remove that in infra/, and let {rule.service} decide."
            )
        if rule.bus != flow.bus:
            yield f"{whose} is on the bus {rule.bus}, and the saga's is {flow.bus}: name that."
    for service in flow.services:
        ruled = any(rule.service == service.name for rule in flow.rules)
        if service.deployed and service.consumes and not ruled:
            yield (
                f"No rule leads {service.consumes} to {service.name}: "
                "add `consumes` to its class in infra/services.py."
            )


def _permissions(flow: Flow) -> Iterator[str]:
    for permission in flow.permissions:
        service = flow.service(permission.service)
        if not service.declared:
            continue
        if permission.bus != flow.bus:
            yield (
                f"{service.name} may publish on the bus {permission.bus}, and the saga's is "
                f"{flow.bus}: name that in infra/."
            )
        if service.republishes:
            yield from _wider_than_the_saga(flow, service, permission)
        else:
            yield from _wider_than_declared(service, permission)
    for event in flow.events:
        if not flow.service(event.producer).deployed:
            continue
        for service in flow.services:
            own = event.producer == service.name
            if (
                service.deployed
                and (own or service.republishes)
                and not _may_publish(flow, service, event)
            ):
                what = (
                    f"publishes {event.name}"
                    if own
                    else f"republishes every event, {event.name} too"
                )
                yield (
                    f"{service.name} declares that it {what}, and has no permission to: "
                    "grant it in infra/services.py."
                )


def _wider_than_declared(service: Service, permission: Permission) -> Iterator[str]:
    grant = "its grant in infra/services.py, or declare"
    if permission.detail_types == (ANY,):
        yield (
            f"{service.name} may publish events of any detail-type, and declares "
            f"{_list(service.publishes)}: narrow {grant} `republishes=True`."
        )
    else:
        for name in permission.detail_types:
            if name not in service.publishes:
                yield (
                    f"{service.name} may publish {name}, which it does not declare: "
                    f"narrow {grant} a step that publishes it."
                )
    for source in permission.sources:
        if source != service.source:
            yield (
                f"{service.name} may publish as {source}, and is {service.source or 'no source'} "
                f"itself: narrow {grant} `republishes=True`."
            )


def _wider_than_the_saga(flow: Flow, service: Service, permission: Permission) -> Iterator[str]:
    own = sorted({event.source.rpartition(".")[0] + "." for event in flow.events if event.source})
    for source in permission.sources:
        if not source.startswith(tuple(own)):
            yield (
                f"{service.name} may publish as {source}, and the saga's sources are "
                f"{'* or '.join(own)}*: narrow its grant in infra/services.py."
            )


def _may_publish(flow: Flow, service: Service, event: Event) -> bool:
    return any(
        permission.service == service.name
        and permission.bus in (flow.bus, ANY)
        and any(like(event.source, source) for source in permission.sources)
        and any(like(event.name, name) for name in permission.detail_types)
        for permission in flow.permissions
    )


def _events_file(service: str) -> str:
    return f"services/{service}/events.py"


def _list(names: Iterable[str]) -> str:
    return " and ".join(names) or "none"

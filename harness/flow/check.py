"""Hold the flow against itself: what is declared, what the code does, and what is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.flow.flow import ANY, Event, Flow, Permission, Service
from harness.flow.templates import like


def check(flow: Flow) -> list[str]:
    """Answer what is wrong, one sentence each, that names the thing and says what to do."""
    checks = (_deployment, _declarations, _code, _events, _statuses, _rules, _permissions)
    return list(dict.fromkeys(finding for one in checks for finding in one(flow)))


def _deployment(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        if service.deployed and not service.declared:
            yield (
                f"{service.name} is deployed and declares no part in the saga: "
                f"end {_words(service)} with `PART = Part(...)`."
            )
        if service.declared and not service.deployed:
            yield (
                f"{service.name} declares its part and is not deployed: "
                "give it a class in infra/services.py."
            )
        if service.declared and service.deployed and not (service.hears or service.calls):
            yield (
                f"Nothing calls {service.name}: let it hear an event, "
                "or give it a route or a schedule in infra/services.py."
            )


def _declarations(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        unsaid = {*service.failures, *filter(None, [service.pivot])} - set(service.says)
        for name in sorted(unsaid):
            yield (
                f"{service.name} declares {name} a failure or its pivot, and not that it says it: "
                f"add it to `says` in {_words(service)}."
            )
        heard = flow.event(service.hears)
        if service.hears and heard is None:
            yield (
                f"{service.name} hears {service.hears}, which no service declares that it says: "
                f"correct `hears` in {_words(service)}, or `says` where it is said."
            )
        if heard and heard.status != service.hears_at:
            yield (
                f"{service.name} hears {heard.name} at {service.hears_at}, and {heard.said_by} "
                f"says it at {heard.status}: correct one's `status` in its events.py."
            )
        yield from _compensation(flow, service)


def _compensation(flow: Flow, service: Service) -> Iterator[str]:
    undone = service.compensates
    if undone is None:
        return
    if service.hears_at is None or service.hears_at not in flow.reachable(undone):
        yield (
            f"{service.name} compensates {undone}, from which no order comes to it: "
            f"name a status before {service.hears or 'it'} in {_words(service)}."
        )
    for event in flow.events:
        if event.pivot and service.hears_at in flow.reachable(event.status):
            yield (
                f"{service.name} undoes {undone} after the pivot {event.name}, and from there an "
                f"order only goes forward: let it hear what comes before {event.name}."
            )


def _code(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        for name in service.builds:
            if name not in service.says:
                yield (
                    f"The code of {service.name} says {name}, which it does not declare: "
                    f"add it to `says` in {_words(service)}, or take it out of the code."
                )
        for name in service.says:
            if name not in service.builds:
                yield (
                    f"{service.name} declares that it says {name}, and no code of it makes one: "
                    f"take it out of `says` in {_words(service)}, or write the code."
                )


def _events(flow: Flow) -> Iterator[str]:
    sayers: dict[str, str] = {}
    for event in flow.events:
        words = _words(flow.service(event.said_by))
        other = sayers.setdefault(event.name, event.said_by)
        if other != event.said_by:
            yield (
                f"{event.name} is said by {other} and by {event.said_by}, and an event is known by "
                "its name: give one of them another."
            )
        if not event.status:
            yield f"{event.name} has no status: give it a `status: ClassVar[str]` in {words}."
        if not event.contract:
            yield (
                f"{event.name} has no contract: write contracts/events/{event.name}.sample.json, "
                "name it in contracts/__init__.py, and run `make contracts`."
            )
        if not (event.heard_by or event.end):
            yield (
                f"Nobody hears {event.name}, which {event.said_by} says: let a service hear it, "
                f"or declare {event.status} one of the `ends` in {words}."
            )
        elif event.failure and not event.end and not _is_undone(flow, event):
            yield (
                f"{event.name} tells of a failure and nothing undoes what came before it: declare "
                f"what {' or '.join(event.heard_by)} `compensates`, or {event.status} one of the "
                f"`ends` in {words}."
            )


def _is_undone(flow: Flow, event: Event) -> bool:
    """Tell whether a service that hears it, or one that a saga then comes to, compensates."""
    after = flow.reachable(event.status)
    return any(s.compensates and s.hears_at in after for s in flow.services)


def _statuses(flow: Flow) -> Iterator[str]:
    ends = {status.name for status in flow.statuses if status.end}
    unheard = {event.status for event in flow.events if not event.heard_by}
    stuck = {s.name for s in flow.statuses if not ends & flow.reachable(s.name)}
    dead = {name for name in stuck if not flow.leaving(name)}
    for name in sorted(dead - unheard):
        hearers = [hearer for e in flow.events if e.status == name for hearer in e.heard_by]
        yield (
            f"An order at {name} cannot reach an end: let {' or '.join(hearers)} say an event, "
            "or declare the status in which it `ends` the saga."
        )
    # What leads only to a dead end is its consequence; what leads to none goes round in a circle.
    circle = sorted(name for name in stuck if not dead & flow.reachable(name))
    if circle:
        yield (
            f"An order at {' or '.join(circle)} cannot reach an end, it goes round in a circle: "
            "declare a status of them one of the `ends`, or let a service leave them."
        )


def _rules(flow: Flow) -> Iterator[str]:
    for rule in flow.rules:
        if rule.service is None:
            yield f"The rule {rule.name} leads to no function of its stack: correct its target."
            continue
        service = flow.service(rule.service)
        if not service.declared:
            continue
        hears, whose = service.hears, f"The rule of {service.name}"
        if not rule.matches:
            meant = flow.event(hears)
            yield f"{whose} matches no declared event: " + (
                f"let it match {meant.name} of {meant.source} in infra/services.py."
                if meant
                else "take `hears` out of its class in infra/services.py."
            )
        for name in rule.matches:
            if name != hears:
                yield (
                    f"{whose} matches {name}, and {rule.service} hears "
                    f"{hears or 'no event'}: narrow its pattern in infra/."
                )
        if rule.looks_at:
            yield (
                f"{whose} looks at `{'`, `'.join(rule.looks_at)}` too, so that some {hears} reach "
                f"nobody: leave that out of its pattern in infra/, and let {rule.service} decide."
            )
        if rule.bus != flow.bus:
            yield f"{whose} listens on the bus {rule.bus}, and the saga's is {flow.bus}: name that."
    for service in flow.services:
        ruled = any(rule.service == service.name for rule in flow.rules)
        if service.deployed and service.hears and not ruled:
            yield (
                f"No rule leads {service.hears} to {service.name}: "
                "add `hears` to its class in infra/services.py."
            )


def _permissions(flow: Flow) -> Iterator[str]:
    for permission in flow.permissions:
        service = flow.service(permission.service)
        if not service.declared:
            continue
        if permission.bus != flow.bus:
            yield (
                f"{service.name} may say events on the bus {permission.bus}, and the saga's is "
                f"{flow.bus}: name that in infra/."
            )
        if service.repeats:
            yield from _wider_than_the_saga(flow, service, permission)
        else:
            yield from _wider_than_declared(service, permission)
    for event in flow.events:
        if not flow.service(event.said_by).deployed:
            continue
        for service in flow.services:
            own = event.said_by == service.name
            if service.deployed and (own or service.repeats) and not _may_say(flow, service, event):
                what = f"says {event.name}" if own else f"repeats what is said, {event.name} too"
                yield (
                    f"{service.name} declares that it {what}, and has no permission to: "
                    "grant it in infra/services.py."
                )


def _wider_than_declared(service: Service, permission: Permission) -> Iterator[str]:
    grant = "its grant in infra/services.py, or declare in its PART that it"
    if permission.detail_types == (ANY,):
        yield (
            f"{service.name} may say events of any detail-type, and declares "
            f"{_list(service.says)}: narrow {grant} `repeats`."
        )
    else:
        for name in permission.detail_types:
            if name not in service.says:
                yield (
                    f"{service.name} may say {name}, which it does not declare: "
                    f"narrow {grant} `says` it."
                )
    for source in permission.sources:
        if source != service.source:
            yield (
                f"{service.name} may speak for {source}, and is {service.source or 'nobody'} "
                f"itself: narrow {grant} `repeats`."
            )


def _wider_than_the_saga(flow: Flow, service: Service, permission: Permission) -> Iterator[str]:
    own = sorted({event.source.rpartition(".")[0] + "." for event in flow.events if event.source})
    for source in permission.sources:
        if not source.startswith(tuple(own)):
            yield (
                f"{service.name} may speak for {source}, and what it repeats is said by "
                f"{'* or '.join(own)}*: narrow its grant in infra/services.py."
            )


def _may_say(flow: Flow, service: Service, event: Event) -> bool:
    return any(
        permission.service == service.name
        and permission.bus in (flow.bus, ANY)
        and any(like(event.source, source) for source in permission.sources)
        and any(like(event.name, name) for name in permission.detail_types)
        for permission in flow.permissions
    )


def _words(service: Service) -> str:
    return f"services/{service.name}/events.py"


def _list(names: Iterable[str]) -> str:
    return " and ".join(names) or "none"

"""The flow as Mermaid, which forges draw: its services with their events, and its statuses."""

from __future__ import annotations

from collections.abc import Iterator

from harness.flow.flow import Event, Flow
from harness.flow.layout import words


def flowchart(flow: Flow) -> str:
    """Draw services and events: failures dotted, what follows the pivot thick."""
    return "\n    ".join(["flowchart LR", *_chart(flow)]) + "\n"


def state_diagram(flow: Flow) -> str:
    """Draw the statuses, and which service leads from one to the next."""
    steps = [f"{one.start or '[*]'} --> {one.to}: {one.service}" for one in flow.transitions]
    ends = [f"{status.name} --> [*]" for status in flow.statuses if status.final]
    return "\n    ".join(["stateDiagram-v2", "direction LR", *steps, *ends]) + "\n"


def _chart(flow: Flow) -> Iterator[str]:
    for service in flow.services:
        if service.declared and not service.consumes and not service.republishes:
            call = f'-- "{service.calls[0]}" -->' if service.calls else "-->"
            yield f"start(( )) {call} {service.name}"
    for one in flow.transitions:
        event = flow.event(one.publishes)
        after = any(s.after_pivot for s in flow.statuses if s.name == one.to)
        if event is None or event.final:
            yield f"{one.service} {_link(event, after)} {one.to}([{words(one.to)}])"
        for consumer in event.consumers if event else ():
            yield f"{one.service} {_link(event, after)} {consumer}"
    for service in flow.services:
        if service.compensates:
            yield f'{service.name}["{service.name}<br>compensates {service.compensates}"]'
        if service.republishes:
            calls = "".join(f"<br>{call}" for call in service.calls)
            yield f'{service.name}["{service.name}{calls}<br>re-publishes stored events"]'
    yield "classDef compensates stroke:#8250df,stroke-width:2px"
    yield "classDef aside stroke-dasharray:4 4"
    for service in flow.services:
        kind = "compensates" if service.compensates else "aside" if service.republishes else None
        if kind:
            yield f"class {service.name} {kind}"


def _link(event: Event | None, after_pivot: bool) -> str:
    if event is None:
        return "-->"
    if event.failure:
        return f"-. {event.name} .->"
    return f"== {event.name} ==>" if after_pivot else f"-- {event.name} -->"

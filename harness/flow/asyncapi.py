"""The flow as AsyncAPI 3: the bus as a channel, and what each service sends and receives on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.flow.flow import Event, Flow, Service

Contracts = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

BUS = "bus"


def document(flow: Flow, contracts: Contracts) -> dict[str, Any]:
    """Answer the document; `contracts` are a sample, as delivered, and a schema for each event."""
    names = [event.name for event in flow.events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The events of the order saga",
            "version": "1.0.0",
            "description": "Who says and who hears what. Written by `saga map`.",
        },
        "defaultContentType": "application/json",
        "channels": {
            BUS: {
                "address": flow.bus,
                "title": "The event bus",
                "description": "A bus of Amazon EventBridge, which delivers at least once and in "
                "any order. The payload is the detail of an event.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            }
        },
        "operations": {
            name: operation
            for service in flow.services
            for name, operation in _operations(service, names)
        },
        "components": {
            "messages": {event.name: _message(event, contracts) for event in flow.events},
            "schemas": {
                name: _moved(schema)
                for event in flow.events
                for name, schema in contracts[event.name][1]["$defs"].items()
            },
        },
    }


def _operations(service: Service, names: list[str]) -> Iterator[tuple[str, Any]]:
    if service.hears:
        hears = f"{service.name} hears {service.hears}"
        yield _named(hears, _operation("receive", hears, service, [service.hears]))
    for said in service.says:
        says = f"{service.name} says {said}"
        yield _named(says, _operation("send", says, service, [said]))
    if service.repeats:
        repeats = f"{service.name} says again what was said"
        yield _named(repeats, _operation("send", repeats, service, names))


def _named(title: str, operation: Any) -> tuple[str, Any]:
    return title.replace(" ", "."), operation


def _operation(action: str, title: str, service: Service, names: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "title": title,
        "summary": service.does,
        "channel": {"$ref": f"#/channels/{BUS}"},
        "messages": [{"$ref": f"#/channels/{BUS}/messages/{name}"} for name in names],
    }


def _message(event: Event, contracts: Contracts) -> dict[str, Any]:
    sample, schema = contracts[event.name]
    envelope = {"source": event.source, "detail-type": event.name}
    return {
        "name": event.name,
        "title": event.name,
        "summary": event.means,
        "headers": {
            "type": "object",
            "description": "What EventBridge's envelope says of the event.",
            "properties": {name: {"const": value} for name, value in envelope.items()},
            "required": list(envelope),
        },
        "payload": _moved({"$ref": schema["$ref"]}),
        "examples": [{"name": "sample", "headers": envelope, "payload": sample["detail"]}],
    }


def _moved(schema: Any) -> Any:
    """Answer a schema that refers to this document's components instead of its own `$defs`."""
    return json.loads(json.dumps(schema).replace("#/$defs/", "#/components/schemas/"))

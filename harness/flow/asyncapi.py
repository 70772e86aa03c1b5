"""The flow as AsyncAPI 3: the bus as a channel, and what each service sends and receives on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.flow.flow import Event, Flow, Service

Contracts = Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]

BUS = "bus"


def document(flow: Flow, contracts: Contracts) -> dict[str, Any]:
    """Return the document; `contracts` are a sample, as delivered, and a schema for each event."""
    names = [event.name for event in flow.events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The events of the order saga",
            "version": "1.0.0",
            "description": "The producer and the consumers of every event. Written by `saga flow`.",
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
    if service.consumes:
        title = f"{service.name} consumes {service.consumes}"
        yield _named(title, _operation("receive", title, service, [service.consumes]))
    for name in service.publishes:
        title = f"{service.name} publishes {name}"
        yield _named(title, _operation("send", title, service, [name]))
    if service.republishes:
        title = f"{service.name} republishes stored events"
        yield _named(title, _operation("send", title, service, names))


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
            "description": "The event's fields in EventBridge's envelope.",
            "properties": {name: {"const": value} for name, value in envelope.items()},
            "required": list(envelope),
        },
        "payload": _moved({"$ref": schema["$ref"]}),
        "examples": [{"name": "sample", "headers": envelope, "payload": sample["detail"]}],
    }


def _moved(schema: Any) -> Any:
    """Return a schema that refers to this document's components instead of its own `$defs`."""
    return json.loads(json.dumps(schema).replace("#/$defs/", "#/components/schemas/"))

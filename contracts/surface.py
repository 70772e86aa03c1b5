"""What a tree of the services declares of its events: `python contracts/surface.py TREE`.

It is run with the tree's own modules on the path, and prints JSON, so that two trees can be
compared: `surface()` runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

DOOR = "POST /orders"


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """A field of an event as one service declares it: its JSON schema, and whether it has to be."""

    part: dict[str, Any]
    required: bool


Fields = dict[str, Field]


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """An event: the fields that its producer adds, and those that each consumer declares.

    follows: the event that its producer consumes, whose fields it carries.
    """

    producer: str
    follows: str | None
    adds: Fields
    consumers: dict[str, Fields]


class Surface(msgspec.Struct, frozen=True, rename="camel"):
    """All that services have to agree on: their events, and the statuses of stored orders.

    statuses: the service that makes each; `final` are those of orders that have ended.
    """

    events: dict[str, Event]
    statuses: dict[str, str]
    final: list[str]


class SurfaceError(Exception):
    """The tree cannot be read; the message has its own error."""


def surface(tree: Path) -> Surface:
    """Read the surface of a tree, in a process of its own."""
    run = subprocess.run(  # noqa: S603 - our own file, with a path of ours
        [sys.executable, "-I", "-X", "utf8", __file__, str(tree)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        raise SurfaceError(run.stderr.strip().rpartition("\n")[2])
    return msgspec.json.decode(run.stdout, type=Surface)


def _declared(tree: Path) -> dict[str, Any]:
    folders = sorted(path.parent.name for path in tree.glob("services/*/events.py"))
    participants = {name: import_module(f"{name}.events").PARTICIPANT for name in folders}
    events = {}
    for producer, participant in participants.items():
        for kind in participant.publishes:
            events[kind.__name__] = {
                "producer": producer,
                "follows": participant.consumes and participant.consumes.__name__,
                "adds": _added(_fields(kind), participant.consumes),
                "consumers": {
                    name: _fields(other.consumes)
                    for name, other in participants.items()
                    if other.consumes and other.consumes.__name__ == kind.__name__
                },
            }
    if (tree / "services/create_order/api.py").exists():
        request = import_module("create_order.api").OrderRequest
        consumers = {"create_order": _fields(request)}
        events[DOOR] = {
            "producer": "a client",
            "follows": None,
            "adds": {},
            "consumers": consumers,
        }
    steps = [(step, name) for name, one in participants.items() for step in one.steps]
    return {
        "events": events,
        "statuses": {step.to: name for step, name in steps},
        "final": [step.to for step, _ in steps if step.final],
    }


def _added(fields: dict[str, Any], consumed: type[msgspec.Struct] | None) -> dict[str, Any]:
    carried = _fields(consumed) if consumed else {}
    return {name: field for name, field in fields.items() if carried.get(name) != field}


def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return {
        name: {
            "part": {key: value for key, value in part.items() if key != "description"},
            "required": name in schema.get("required", []),
        }
        for name, part in schema["properties"].items()
        if name != "carried"  # it lies beside the others on the wire
    }


if __name__ == "__main__":
    sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]) / "services")]
    print(json.dumps(_declared(Path(sys.argv[1]))))

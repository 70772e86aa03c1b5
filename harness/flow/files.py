"""The files in docs/flow/: what each is, and its text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness.flow import FOLDER, asyncapi
from harness.flow.flow import Event, Flow, Permission, Rule, Service, Status, Transition
from harness.flow.mermaid import flowchart, state_diagram
from harness.flow.svg import describe, draw

PAGE = """# The flow of the saga

Written by `saga flow` from the `PARTICIPANT` in each service's `events.py` and from the synthesized
templates. A test fails when these files are out of date.

![{description}](flow.svg)

Services and their events. Failures are dotted; what follows the pivot is thick.

```mermaid
{flowchart}```

The statuses of an order, and which service leads from one to the next:

```mermaid
{states}```

{files}

## flow.json

`bus` is the name of the event bus. All other fields are lists, in the order of the saga. No field
is ever left out.

{fields}
"""

FILES = {
    "flow.svg": "the picture; a page that has it inline may write counts into it, by `data-count`",
    "flow.mmd": "the first diagram above, as Mermaid",
    "states.mmd": "the second",
    "flow.json": "the flow for machines: `harness.flow.load()` reads it",
    "asyncapi.json": "AsyncAPI 3.0: the bus, its messages, and who sends and receives each",
}


def documents(flow: Flow, contracts: asyncapi.Contracts) -> dict[Path, str]:
    """Return each file and its text."""
    page = PAGE.format(
        description=describe(flow),
        flowchart=flowchart(flow),
        states=state_diagram(flow),
        files=_table(["file", "what it is"], ([f"[{n}]({n})", w] for n, w in FILES.items())),
        fields=_table(["list", "fields", "each is"], _fields()),
    )
    as_json = msgspec.json.format(msgspec.json.encode(flow), indent=2).decode() + "\n"
    texts = {
        "README.md": page,
        "asyncapi.json": json.dumps(asyncapi.document(flow, contracts), indent=2) + "\n",
        "flow.json": as_json,
        "flow.mmd": flowchart(flow),
        "flow.svg": draw(flow),
        "states.mmd": state_diagram(flow),
    }
    return {FOLDER / name: text for name, text in texts.items()}


def _fields() -> Iterator[list[str]]:
    kinds = {
        "services": Service,
        "events": Event,
        "statuses": Status,
        "transitions": Transition,
        "rules": Rule,
        "permissions": Permission,
    }
    for name, kind in kinds.items():
        encoded = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        means = " ".join((kind.__doc__ or "").split()).replace("None", "null")
        for field, written in encoded.items():
            means = means.replace(f"`{field}`", f"`{written}`")
        yield [f"`{name}`", f"`{'`, `'.join(encoded.values())}`", means]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])

"""What `saga map` writes into docs/flow/: as the code says, and fit for those who read it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import harness.flow
from create_order.events import OrderCreated
from harness.emulator import ROOT
from harness.flow.asyncapi import document
from harness.flow.files import documents
from harness.flow.flow import Flow
from harness.flow.mermaid import flowchart, state_diagram
from harness.flow.read import Found, read
from tests.flow.changes import backwards, declared
from tests.npm import install, needs_npm
from tests.world import SAMPLES

FOLDER = ROOT / "docs" / "flow"
FILES = ("README.md", "asyncapi.json", "flow.json", "flow.mmd", "flow.svg", "states.mmd")


@pytest.mark.parametrize("name", FILES)
def test_the_committed_files_are_those_of_the_services_and_templates(
    found: Found, flow: Flow, name: str
) -> None:
    written = documents(flow, found.contracts)

    assert (FOLDER / name).read_text() == written[FOLDER / name], "run `./saga map`"


def test_there_are_no_other_files(found: Found, flow: Flow) -> None:
    written = documents(flow, found.contracts)

    assert sorted(FOLDER.iterdir()) == sorted(written) == [FOLDER / name for name in FILES]


def test_the_files_do_not_depend_on_the_order_in_which_things_are_found(
    found: Found,
) -> None:
    with_hearers = declared(found, "audit_orders", hears=OrderCreated)

    one_way, other_way = read(with_hearers), read(backwards(with_hearers))

    assert documents(one_way, found.contracts) == documents(other_way, found.contracts)


def test_a_program_reads_the_flow_and_its_picture_without_synthesis(flow: Flow) -> None:
    loaded, picture = harness.flow.load(), harness.flow.svg()

    assert loaded == flow
    assert picture == (FOLDER / "flow.svg").read_text()


def test_the_readme_shows_this_picture_at_its_top_and_tells_it_in_words(flow: Flow) -> None:
    readme = (ROOT / "README.md").read_text()

    title, picture, *_ = readme.split("\n\n")

    [told] = re.findall(r'<img src="docs/flow/flow.svg" alt="([^"]+)">', picture)
    names = [*(service.name for service in flow.services), *(event.name for event in flow.events)]
    assert title.startswith("# ")
    assert [name for name in names if name not in told] == []


def test_mermaid_has_every_service_event_and_status(flow: Flow) -> None:
    chart, states = flowchart(flow), state_diagram(flow)

    assert [service.name for service in flow.services if service.name not in chart] == []
    assert [event.name for event in flow.events if event.name not in chart] == []
    assert [status.name for status in flow.statuses if f"{status.name}:" not in states] == []
    assert re.findall(r"(\w+) --> \[\*\]", states) == [s.name for s in flow.statuses if s.end]


def test_mermaid_has_nothing_that_it_reads_in_another_way(flow: Flow) -> None:
    arrow = r'-- "?[\w /]+"? -->|-\. \w+ \.->|== \w+ ==>|-->'
    node = r'\w+(\(\[[\w ]+\]\)|\(\( \)\)|\["[^"\[\]]+"\])?'
    style = r"classDef \w+ [\w:#, -]+|class \w+ \w+"

    head, *lines = flowchart(flow).splitlines()

    assert head == "flowchart LR"
    known = re.compile(f"    ({node} ({arrow}) {node}|{node}|{style})")
    assert [line for line in lines if not known.fullmatch(line)] == []


@pytest.fixture
def asyncapi(found: Found, flow: Flow) -> dict[str, Any]:
    return document(flow, found.contracts)


@needs_npm
def test_the_asyncapi_document_is_valid(asyncapi: dict[str, Any]) -> None:
    schemas = install(Path(__file__).parent / "asyncapi") / "@asyncapi" / "specs" / "schemas"
    schema = json.loads((schemas / "3.0.0.json").read_text())

    jsonschema.Draft7Validator(schema).validate(asyncapi)


def test_every_reference_in_the_asyncapi_document_leads_somewhere(
    asyncapi: dict[str, Any],
) -> None:
    references = list(_references(asyncapi))

    assert len(references) > 20
    assert [one for one in references if _resolve(asyncapi, one) is None] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_an_example_in_the_asyncapi_document_fits_its_schema(
    asyncapi: dict[str, Any], name: str
) -> None:
    message = asyncapi["components"]["messages"][name]

    [example] = message["examples"]

    assert example["payload"] == SAMPLES[name]["detail"]
    for part in ("payload", "headers"):
        jsonschema.validate(example[part], {**asyncapi, **message[part]})


def test_the_asyncapi_document_has_who_says_and_who_hears_what(
    asyncapi: dict[str, Any], flow: Flow
) -> None:
    operations = asyncapi["operations"]

    told = {
        (title, operation["action"], one["$ref"].rpartition("/")[2])
        for title, operation in operations.items()
        for one in operation["messages"]
    }

    said = {(f"{e.said_by}.says.{e.name}", "send", e.name) for e in flow.events}
    heard = {
        (f"{service}.hears.{e.name}", "receive", e.name)
        for e in flow.events
        for service in e.heard_by
    }
    repeated = {("resume_orders.says.again.what.was.said", "send", e.name) for e in flow.events}
    assert told == said | heard | repeated


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)


def _resolve(found: Any, reference: str) -> Any:
    for name in reference.removeprefix("#/").split("/"):
        found = found.get(name, {})
    return found or None

"""The files that `saga flow` writes into docs/flow/: up to date, and fit for their readers."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import harness.flow
from harness.emulator import ROOT
from harness.flow.asyncapi import document
from harness.flow.files import documents
from harness.flow.flow import Flow
from harness.flow.mermaid import flowchart, state_diagram
from harness.flow.read import Found, read
from tests.flow import example
from tests.flow.changes import backwards, declared
from tests.flow.example import OrderCreated
from tests.npm import install, needs_npm

FOLDER = ROOT / "docs" / "flow"
FILES = ("README.md", "asyncapi.json", "flow.json", "flow.mmd", "flow.svg", "states.mmd")


@pytest.mark.parametrize("name", FILES)
def test_the_committed_files_are_those_of_the_services_and_templates(
    project: Found, name: str
) -> None:
    written = documents(read(project), project.contracts)

    assert (FOLDER / name).read_text() == written[FOLDER / name], "run `./saga flow`"


def test_there_are_no_other_files(project: Found) -> None:
    written = documents(read(project), project.contracts)

    assert sorted(FOLDER.iterdir()) == sorted(written) == [FOLDER / name for name in FILES]


def test_the_files_do_not_depend_on_the_order_in_which_things_are_found(
    found: Found,
) -> None:
    with_consumer = declared(found, "audit_orders", consumes=OrderCreated)

    one_way, other_way = read(with_consumer), read(backwards(with_consumer))

    assert documents(one_way, found.contracts) == documents(other_way, found.contracts)


def test_a_program_reads_the_flow_and_its_picture_without_synthesis(project: Found) -> None:
    loaded, picture = harness.flow.load(), harness.flow.svg()

    assert loaded == read(project)
    assert picture == (FOLDER / "flow.svg").read_text()


def test_mermaid_has_every_service_event_and_status(flow: Flow) -> None:
    chart, states = flowchart(flow), state_diagram(flow)

    assert [service.name for service in flow.services if service.name not in chart] == []
    assert [event.name for event in flow.events if event.name not in chart] == []
    assert [status.name for status in flow.statuses if f"{status.name}:" not in states] == []
    assert re.findall(r"(\w+) --> \[\*\]", states) == [s.name for s in flow.statuses if s.final]


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


@pytest.mark.parametrize("name", example.found().contracts)
def test_an_example_in_the_asyncapi_document_fits_its_schema(
    asyncapi: dict[str, Any], name: str
) -> None:
    message = asyncapi["components"]["messages"][name]

    [shown] = message["examples"]

    assert shown["payload"] == example.found().contracts[name][0]["detail"]
    for part in ("payload", "headers"):
        jsonschema.validate(shown[part], {**asyncapi, **message[part]})


def test_the_asyncapi_document_has_every_producer_and_consumer(
    asyncapi: dict[str, Any], flow: Flow
) -> None:
    operations = asyncapi["operations"]

    documented = {
        (title, operation["action"], one["$ref"].rpartition("/")[2])
        for title, operation in operations.items()
        for one in operation["messages"]
    }

    sent = {(f"{e.producer}.publishes.{e.name}", "send", e.name) for e in flow.events}
    received = {
        (f"{service}.consumes.{e.name}", "receive", e.name)
        for e in flow.events
        for service in e.consumers
    }
    again = {("resume_orders.republishes.stored.events", "send", e.name) for e in flow.events}
    assert documented == sent | received | again


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

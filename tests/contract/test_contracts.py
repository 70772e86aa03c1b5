"""Both sides of every event agree on what is on the bus."""

import json
from typing import Any

import jsonschema
import msgspec
import openapi_spec_validator
import pytest

from contracts import CONTRACTS, FOLDER, Contract
from contracts.generate import documents
from plumbing.envelope import EnvelopeError, decode
from plumbing.event import Event, detail_of
from plumbing.outbox import OutboxEvent
from tests.world import SAMPLES, World, sample

PUBLISHED = [pytest.param(contract, id=contract.detail_type) for contract in CONTRACTS]
CONSUMED = [
    pytest.param(service, struct, id=f"{service} consumes {struct.__name__}")
    for contract in CONTRACTS
    for service, struct in contract.consumers.items()
]
FIELDS = [
    pytest.param(service, struct, field, id=f"{service} {field}")
    for contract in CONTRACTS
    for service, struct in contract.consumers.items()
    for field in (one.encode_name for one in msgspec.structs.fields(struct) if one.required)
]


@pytest.mark.parametrize("contract", PUBLISHED)
def test_what_the_producer_publishes_is_the_sample(contract: Contract) -> None:
    agreed = sample(contract.detail_type)

    event = decode(agreed, contract.published)
    outbox = OutboxEvent.of(f"orders.{contract.producer}", event)

    assert outbox.source == agreed["source"]
    assert outbox.detail_type == agreed["detail-type"]
    assert list(json.loads(outbox.detail).items()) == list(agreed["detail"].items())


@pytest.mark.parametrize("contract", PUBLISHED)
def test_the_sample_fits_the_schema_and_a_lesser_one_does_not(contract: Contract) -> None:
    schema = json.loads(contract.schema.read_text())
    detail = sample(contract.detail_type)["detail"]

    jsonschema.validate(detail, schema)
    # The sample has each field once; those with a default may be absent on the wire.
    for field in schema["$defs"][contract.detail_type]["required"]:
        lesser = {name: value for name, value in detail.items() if name != field}
        with pytest.raises(jsonschema.ValidationError, match=field):
            jsonschema.validate(lesser, schema)


@pytest.mark.parametrize(("service", "struct"), CONSUMED)
def test_a_consumer_reads_the_sample_and_carries_unknown_fields(
    service: str, struct: type[Event]
) -> None:
    agreed = sample(struct.__name__)
    with_more = sample(struct.__name__, ribbonColour="for you")

    event = decode(agreed, struct)

    assert list(detail_of(event).items()) == list(agreed["detail"].items())
    assert detail_of(decode(with_more, struct)) == {**agreed["detail"], "ribbonColour": "for you"}


@pytest.mark.parametrize("wrong", ["missing", "of another type"])
@pytest.mark.parametrize(("service", "struct", "field"), FIELDS)
def test_a_handler_names_a_field_that_is_missing_or_wrong_and_does_nothing(
    world: World, service: str, struct: type[Event], field: str, wrong: str
) -> None:
    delivered = sample(struct.__name__)
    if wrong == "missing":
        del delivered["detail"][field]
    else:
        delivered["detail"][field] = {"another": "type"}
    before = world.snapshot()

    with pytest.raises(EnvelopeError, match=f"{struct.__name__}: .*{field}"):
        world.handler(service).handle(delivered, None)

    assert world.snapshot() == before
    assert world.dynamodb.calls == world.events.calls == []


@pytest.mark.parametrize(("service", "struct"), CONSUMED)
def test_a_handler_refuses_every_event_that_it_does_not_consume(
    world: World, service: str, struct: type[Event]
) -> None:
    handle = world.handler(service).handle
    others = [name for name in SAMPLES if name != struct.__name__]

    for other in others:
        with pytest.raises(EnvelopeError, match=f"expected detail-type {struct.__name__}"):
            handle(sample(other), None)

    assert world.dynamodb.calls == world.events.calls == []


@pytest.mark.parametrize(
    ("number", "valid"),
    [("TRK-FB5EEAF2", True), ("1Z 999 AA1 01", True), ("9", True), ("", False), ("9" * 65, False)],
)
def test_a_tracking_number_may_have_any_carriers_form(number: str, valid: bool) -> None:
    [contract] = [one for one in CONTRACTS if one.detail_type == "ShippingScheduled"]
    schema = json.loads(contract.schema.read_text())
    detail = sample("ShippingScheduled", trackingNumber=number)["detail"]

    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(detail))

    assert (errors == []) == valid


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_the_generated_documents_are_those_of_the_structs(path: Any) -> None:
    assert path.read_text() == documents()[path], "run `make contracts`"


def test_the_openapi_document_is_valid() -> None:
    openapi_spec_validator.validate(json.loads((FOLDER / "openapi.json").read_text()))


@pytest.mark.parametrize(("service", "struct"), CONSUMED)
@pytest.mark.parametrize("day", ["2026-99-31", "2026-02-30", "0000-01-01", "2025-02-29"])
def test_a_day_that_no_calendar_has_is_refused(service: str, struct: type[Event], day: str) -> None:
    delivered = sample(struct.__name__, createdAt=f"{day}T09:00:00.000Z")

    with pytest.raises(EnvelopeError, match=struct.__name__):
        decode(delivered, struct)

"""What is left of botocore in an image: all that the services call, and little else."""

import gzip
import json
import re
import shutil
import ssl
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.model import ServiceModel, Shape, StructureShape

from harness.emulator import ROOT
from plumbing.aws import OPERATIONS
from plumbing.image.slim import AUTHORITIES, declared, slim
from tests.world import World, request

INSTALLED = Path(botocore.__file__).parent
NEVER_CALLED = "sqs"
KEPT = declared([ROOT / "plumbing"])


@pytest.fixture(scope="module")
def slimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slim a copy of botocore's data."""
    folder = tmp_path_factory.mktemp("packages")
    copy = folder / "botocore"
    (copy / "data").mkdir(parents=True)
    for file in [INSTALLED / "cacert.pem", *INSTALLED.glob("data/*.json")]:
        shutil.copy(file, copy / file.relative_to(INSTALLED))
    for service in (*OPERATIONS, NEVER_CALLED):
        shutil.copytree(INSTALLED / "data" / service, copy / "data" / service)
    slim(folder, KEPT)
    return copy


def test_an_image_has_all_operations_that_the_services_call(world: World) -> None:
    order = {"customerId": "CUST-1", "sku": "COFFEE", "amountCents": 500}
    world.stock("COFFEE", 10)

    world.handler("create_order").handle(request(body=order), None)
    world.run()
    world.handler("resume_orders").handle({}, None)

    assert set(world.dynamodb.calls) == set(OPERATIONS["dynamodb"])
    assert set(world.events.calls) == set(OPERATIONS["events"])


@pytest.mark.parametrize("service", OPERATIONS)
def test_an_operation_is_described_as_it_was(slimmed: Path, service: str) -> None:
    whole, left = _model(INSTALLED, service), _model(slimmed, service)

    assert left.metadata == whole.metadata
    assert set(left.operation_names) == KEPT[service]
    for name in left.operation_names:
        assert _described(left, name) == _described(whole, name)


def test_the_declaration_is_read_from_the_source_of_plumbing_and_of_the_service(
    tmp_path: Path,
) -> None:
    (tmp_path / "aws.py").write_text('OPERATIONS = {"s3": ("PutObject",), "events": ("X",)}')

    found = declared([ROOT / "plumbing", tmp_path])

    assert {service: set(names) for service, names in OPERATIONS.items()} == KEPT
    assert found == KEPT | {"s3": {"PutObject"}, "events": {"PutEvents", "X"}}


@pytest.mark.parametrize(
    ("operations", "error"),
    [
        ({"dynamodbb": {"GetItem"}}, "botocore has no service dynamodbb"),
        ({"events": {"PutEvent"}}, "events has no operation PutEvent"),
    ],
)
def test_a_declared_operation_that_aws_does_not_have_is_an_error(
    tmp_path: Path, operations: dict[str, set[str]], error: str
) -> None:
    shutil.copytree(INSTALLED / "data" / "events", tmp_path / "botocore" / "data" / "events")

    with pytest.raises(ValueError, match=error):
        slim(tmp_path, operations)


def test_little_is_left(slimmed: Path) -> None:
    folders = {path.name for path in (slimmed / "data").iterdir() if path.is_dir()}
    parsed = [*slimmed.glob("data/*/*/*-[12].json.gz"), slimmed / "data" / "endpoints.json"]

    assert folders == set(OPERATIONS)
    assert sum(len(_text(file)) for file in parsed) < 75_000
    assert '"documentation"' not in "".join(map(_text, parsed))


def test_the_addresses_of_the_services_are_as_they_were(slimmed: Path) -> None:
    whole, left = (
        json.loads((folder / "data" / "endpoints.json").read_text())
        for folder in (INSTALLED, slimmed)
    )

    for before, after in zip(whole["partitions"], left["partitions"], strict=True):
        services = before.pop("services")
        assert after.pop("services") == {name: services[name] for name in OPERATIONS}
        assert after == before


def test_amazons_own_authorities_are_left(slimmed: Path) -> None:
    bundle = (slimmed / "cacert.pem").read_text()
    whole = (INSTALLED / "cacert.pem").read_text()

    assert set(re.findall('# Label: "(.*)"', bundle)) == AUTHORITIES
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle)
    assert context.cert_store_stats()["x509_ca"] == len(AUTHORITIES)
    for certificate in re.findall(r"-----BEGIN.*?END CERTIFICATE-----", bundle, re.DOTALL):
        assert certificate in whole


def _model(botocore_folder: Path, service: str) -> ServiceModel:
    *_, file = sorted(botocore_folder.glob(f"data/{service}/*/service-2.json.gz"))
    return ServiceModel(json.loads(_text(file)), service)


def _described(model: ServiceModel, name: str) -> Any:
    """Return an operation's description without its documentation."""
    operation = model.operation_model(name)
    shapes = [operation.input_shape, operation.output_shape, *operation.error_shapes]
    return operation.http, operation.auth_type, [_shape(s, set()) for s in shapes if s]


def _shape(shape: Shape, above: set[str]) -> Any:
    """Return what a shape is made of; one that contains itself is named where it comes again."""
    if shape.name in above:
        return shape.name
    above = above | {shape.name}
    parts: dict[str, Shape] = dict(shape.members) if isinstance(shape, StructureShape) else {}
    for part in ("member", "key", "value"):
        if shape.type_name in ("list", "map") and hasattr(shape, part):
            parts[part] = getattr(shape, part)
    required = getattr(shape, "required_members", [])
    made_of = {part: _shape(of, above) for part, of in parts.items()}
    return shape.name, shape.type_name, shape.metadata, shape.serialization, required, made_of


def _text(file: Path) -> str:
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as content:
        return str(content.read())

"""The services' images: hardened, lean, and responding as the contracts require."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker.errors import ContainerError
from docker.models.containers import Container

from contracts import participants
from harness.deploy import synthesize
from harness.emulator import ROOT, answers
from harness.environment import HOME, Environment
from harness.errors import UserError
from harness.images import Image, bases, build, images
from harness.saga import SERVICES
from tests.e2e.containers import INSTANCE, OWNER, sweep
from tests.engine import needs_engine
from tests.world import request, sample

pytestmark = [
    needs_engine,
    pytest.mark.parametrize("saga", ["containers"], indirect=True, scope="session"),
]

EVENTS: dict[str, Any] = {
    service: sample(one.consumes.__name__) if one.consumes else {}
    for service, one in participants().items()
}
EVENTS["create_order"] = request(body={"customerId": "C", "sku": "TEA", "amountCents": -1})
# By their full names: another clone on this machine may have built others under the short ones.
IMAGES = {image.service: image.name for image in images(synthesize(HOME))}
LOOPBACK: Any = {"8080/tcp": ("127.0.0.1", None)}
HARDENED: dict[str, Any] = {
    "read_only": True,
    "tmpfs": {"/tmp": ""},
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "user": "1001",
}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def running(saga: Environment, service: str) -> Iterator[Container]:
    """Run a service's image as it is hardest to run, beside the emulator."""
    client = docker.from_env()
    [emulator] = client.containers.list(filters={"label": f"{OWNER}={os.getpid()}"})
    [network] = [name for name in emulator.attrs["NetworkSettings"]["Networks"] if name != "bridge"]
    container = client.containers.run(
        IMAGES[service],
        detach=True,
        network=network,
        ports=LOOPBACK,
        environment={
            "AWS_ENDPOINT_URL": "http://emulator:4566",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "EVENT_BUS_NAME": "order-saga",
            "EVENT_SOURCE": f"orders.{service}",
            "ORDERS_TABLE": "order-saga-orders",
            "INVENTORY_TABLE": "order-saga-inventory",
        },
        **HARDENED,
    )
    yield container
    container.remove(force=True)


def test_a_hardened_image_processes_a_contract_sample(running: Container, service: str) -> None:
    response = _invoke(running, EVENTS[service])

    if service == "create_order":
        assert response["statusCode"] == 422
        assert json.loads(response["body"])["errors"][0]["pointer"] == "#/amountCents"
    elif service == "resume_orders":
        assert response["givenUpOrders"] == 0
    else:
        # It asked the table of the emulator, where no order of the sample is.
        assert response["errorType"] == "EventMismatchError"
        assert response["errorMessage"] == "the event refers to something that is not stored"


def test_an_image_has_no_installer_no_tests_and_no_source_of_another_service(
    running: Container, service: str
) -> None:
    others = [other for other in SERVICES if other != service]
    absent = ["pip", "tests", "harness", "infra", *others]
    program = "import importlib.util as u, sys; print([m for m in sys.argv[1:] if u.find_spec(m)])"

    found = running.exec_run(["python", "-c", program, *absent])
    installers = running.exec_run(["sh", "-c", "command -v pip gcc cc || true"])

    assert found == (0, b"[]\n")
    assert installers == (0, b"")


def test_an_image_is_byte_compiled_and_labelled(running: Container, service: str) -> None:
    _, found = running.exec_run(["sh", "-c", f"ls {service}/__pycache__ plumbing/__pycache__"])
    labels = running.image.labels if running.image else {}

    assert b"handler.cpython-" in found
    assert b"publish.cpython-" in found
    assert labels["org.opencontainers.image.title"] == f"order-saga/{service}"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_what_a_change_of_code_pushes_is_small(saga: Environment, service: str) -> None:
    history = docker.from_env().images.get(IMAGES[service]).history()

    dependencies = next(
        place
        for place, layer in enumerate(history)
        if "COPY /image/dependencies" in layer["CreatedBy"]
    )
    assert 0 < sum(layer["Size"] for layer in history[:dependencies]) < 175_000


def test_a_package_of_one_service_grows_its_image_alone(saga: Environment, tmp_path: Path) -> None:
    pinned = (ROOT / "requirements" / "dev.txt").read_text()
    [package] = re.findall(r"^iniconfig==(?:.*\\\n)*.*\n", pinned, re.MULTILINE)
    service = _service(tmp_path, "notify_shipping")
    with (service / "requirements.txt").open("a") as pins:
        pins.write(package)

    larger = _build(service, "order-saga-tests/one-more-package")

    client = docker.from_env()
    program = ["python", "-c", "import iniconfig"]
    client.containers.run(larger, entrypoint=program, remove=True)
    with pytest.raises(ContainerError, match=r"No module named .*iniconfig"):
        client.containers.run(IMAGES["notify_shipping"], entrypoint=program, remove=True)
    sizes = [client.images.get(name).attrs["Size"] for name in (larger, IMAGES["notify_shipping"])]
    assert 0 < sizes[0] - sizes[1] < 200_000


def test_a_client_that_the_image_would_not_have_fails_the_build_in_words(
    saga: Environment, tmp_path: Path
) -> None:
    service = _service(tmp_path, "notify_shipping")
    (service / "audit.py").write_text('import boto3\n\nqueue = boto3.client("sqs")\n')

    with pytest.raises(UserError, match=r"service/audit\.py:3 makes a client of sqs"):
        _build(service, "order-saga-tests/undeclared-client")


def _service(folder: Path, name: str) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "services" / name, folder / name, ignore=ignored))


def _build(service: Path, name: str) -> str:
    [platform] = {image.platform for image in images(synthesize(HOME))}
    build(Image(service.name, service, name, platform), bases()["LAMBDA_BASE"], short_name=False)
    return name


def test_no_certificates_of_this_network_are_in_an_image(
    running: Container, service: str, tmp_path: Path
) -> None:
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    # A line of the bundle that no package brings along: its last certificate's first.
    own = Path(bundle).read_bytes().split(b"-----BEGIN CERTIFICATE-----")[-1] if bundle else b"none"
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in docker.from_env().images.get(IMAGES[service]).save():
            file.write(chunk)

    secrets = running.exec_run(["sh", "-c", "ls /run/secrets 2>/dev/null || true"])

    assert secrets == (0, b"")
    assert own.strip()[:200] not in archive.read_bytes()


def test_what_a_killed_session_left_is_removed(saga: Environment) -> None:
    client = docker.from_env()
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    emulator = {OWNER: str(gone.pid)}
    function = {INSTANCE: f"order-saga-tests-{gone.pid}:4566"}
    network = client.networks.create("order-saga-left-behind", labels=emulator)
    for labels in (emulator, function):
        client.containers.create(IMAGES["create_order"], labels=labels)

    sweep()

    left = [
        *client.containers.list(all=True, filters={"label": f"{OWNER}={gone.pid}"}),
        *client.containers.list(all=True, filters={"label": f"{INSTANCE}={function[INSTANCE]}"}),
        *client.networks.list(names=[network.name]),
    ]
    assert left == []
    assert answers(saga.endpoint)


def _invoke(container: Container, event: object, seconds: float = 20) -> Any:
    """Post an event to the image's Runtime Interface Emulator, once that has started."""
    container.reload()
    [binding] = container.attrs["NetworkSettings"]["Ports"]["8080/tcp"]
    url = f"http://127.0.0.1:{binding['HostPort']}/2015-03-31/functions/function/invocations"
    deadline = time.monotonic() + seconds
    while True:
        try:
            return httpx.post(url, json=event, timeout=seconds).json()
        except httpx.TransportError:
            # Docker takes connections to a port before anything in the container listens on it.
            if time.monotonic() > deadline:
                raise

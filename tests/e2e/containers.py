"""A session's own emulator in a container, with the functions as containers beside it."""

import contextlib
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from harness import environment
from harness.bus import is_gone
from harness.connect import REGION
from harness.emulator import answers
from harness.environment import Environment
from harness.images import bases
from tests.engine import engine_socket

# What is left of a session that was killed is found by these marks, by the session after it.
# Testcontainers itself uses a helper container, whose image not everyone can pull.
OWNER = "order-saga.tests.owner"
INSTANCE = "ministack.instance"
testcontainers_config.ryuk_disabled = True
# A file in the home directory may name another engine than the docker command uses.
testcontainers_config.tc_properties.pop("tc.host", None)

LOCALSTACK = "localstack/localstack:2026.08.3"
PORT = 4566
START_SECONDS = 60


@contextmanager
def environment_in_containers() -> Iterator[Environment]:
    """Start an emulator on a network of its own, deploy the images to it, and clean up after."""
    sweep()
    name = _name(os.getpid())
    labels = {OWNER: str(os.getpid())}
    with Network(docker_network_kw={"labels": labels}) as network:
        emulator = _emulator(name, network, labels)
        try:
            emulator.start()
            endpoint = (
                f"http://{emulator.get_container_host_ip()}:{emulator.get_exposed_port(PORT)}"
            )
            _await(endpoint, emulator)
            yield environment.provision(endpoint, lambda doing: None, as_images=True)
        finally:
            _remove(name, str(os.getpid()), networks=False)


def last_lines(count: int = 20) -> str:
    """Return the last lines that this session's emulator and functions logged."""
    lines = []
    for container in _containers(_name(os.getpid()), str(os.getpid())):
        text = container.logs(tail=count).decode(errors="replace")
        lines.append(f"--- {container.labels.get('org.opencontainers.image.title', 'emulator')}")
        lines.append(text)
    return "\n".join(lines)


def kill_function(chance: random.Random) -> list[str]:
    """Kill one of this session's functions; return its name, or nothing when none is there."""
    label = f"{INSTANCE}={_name(os.getpid())}:{PORT}"
    functions = docker.from_env().containers.list(filters={"label": label}, ignore_removed=True)
    if not functions:
        return []
    function = chance.choice(functions)
    # The emulator may have removed it meanwhile, or it may have ended.
    with contextlib.suppress(APIError):
        function.kill()
        return [str(function.name)]
    return []


def sweep() -> None:
    """Remove what sessions left behind whose process is gone."""
    client = docker.from_env()
    marked = [
        *client.containers.list(all=True, filters={"label": OWNER}),
        *client.networks.list(filters={"label": OWNER}),
    ]
    owners = {(one.attrs.get("Labels") or one.attrs["Config"]["Labels"])[OWNER] for one in marked}
    for owner in owners:
        if is_gone(int(owner)):
            _remove(_name(int(owner)), owner, networks=True)


def _emulator(name: str, network: Network, labels: dict[str, str]) -> DockerContainer:
    token = os.environ.get("LOCALSTACK_AUTH_TOKEN")
    image = LOCALSTACK if token else bases()["EMULATOR_IMAGE"]
    emulator = (
        DockerContainer(image, hostname=name, labels=labels)
        .with_network(network)
        .with_network_aliases("emulator")
        .with_exposed_ports(PORT)
        .with_volume_mapping(engine_socket(), "/var/run/docker.sock", "rw")
        .with_env("LAMBDA_DOCKER_NETWORK", network.name)
    )
    if token:
        # It looks for its own container by the host's name.
        emulator.with_name(name)
        emulator.with_env("LOCALSTACK_AUTH_TOKEN", token).with_env("LAMBDA_RETRY_BASE_DELAY", "1")
    else:
        # LocalStack copies its runtime into functions' containers, which have to be writable.
        emulator.with_env("LAMBDA_DOCKER_FLAGS", "--read-only --tmpfs /tmp")
        emulator.with_env("AWS_ENDPOINT_URL", f"http://emulator:{PORT}")
        emulator.with_env("MINISTACK_REGION", REGION)
    return emulator


def _await(endpoint: str, emulator: DockerContainer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(endpoint):
        if time.monotonic() > deadline:
            output, errors = emulator.get_logs()
            raise AssertionError(f"the emulator does not response: {(output + errors).decode()}")
        time.sleep(0.1)


def _containers(name: str, owner: str) -> list[Container]:
    containers = docker.from_env().containers
    emulators = containers.list(all=True, filters={"label": f"{OWNER}={owner}"})
    functions = containers.list(all=True, filters={"label": f"{INSTANCE}={name}:{PORT}"})
    return [*emulators, *functions]


def _remove(name: str, owner: str, *, networks: bool) -> None:
    # The emulator first, so that it starts no further function meanwhile.
    for container in _containers(name, owner):
        # One that the emulator, or its own end, removes meanwhile is removed.
        with contextlib.suppress(NotFound):
            container.remove(force=True, v=True)
    if networks:
        for network in docker.from_env().networks.list(filters={"label": f"{OWNER}={owner}"}):
            network.remove()


def _name(pid: int) -> str:
    return f"order-saga-tests-{pid}"

"""docker compose: up, order, up again, lose the emulator, down, and nothing is left."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import docker
import pytest

from harness.emulator import ROOT
from harness.images import bases
from tests.engine import needs_engine

pytestmark = needs_engine

PROJECT = f"order-saga-compose-{os.getpid()}"


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environ = {
        **os.environ,
        **bases(),
        "COMPOSE_PROJECT_NAME": PROJECT,
        "EMULATOR_PORT": port,
        "SAGA_ENDPOINT": f"http://127.0.0.1:{port}",
    }
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    if bundle:
        environ["CA_BUNDLE"] = bundle
    yield environ
    _compose(environ, "down", "--volumes")


def test_compose_starts_serves_recovers_and_leaves_nothing(environ: Mapping[str, str]) -> None:
    started = _compose(environ, "up", "--detach", "--wait")
    assert started.returncode == 0, started.stderr
    assert "The orders' API: http://localhost:" in _compose(environ, "logs", "deploy").stdout
    assert _ships(environ)

    again = _compose(environ, "up", "--detach", "--wait")
    assert again.returncode == 0, again.stderr
    assert _ships(environ)

    docker.from_env().containers.get(f"{PROJECT}-emulator-1").kill()
    back = _compose(environ, "up", "--detach", "--wait")
    assert back.returncode == 0, back.stderr
    assert _ships(environ)

    stopped = _compose(environ, "down")
    assert stopped.returncode == 0, stopped.stderr
    assert _left() == []


def test_compose_fails_with_the_reason_when_the_deployment_does(
    environ: Mapping[str, str],
) -> None:
    broken = {**environ, "SAGA_ARCHITECTURE": "mips"}

    started = _compose(broken, "up", "--detach", "--wait")
    logged = _compose(broken, "logs", "deploy").stdout

    assert started.returncode != 0
    assert "architecture mips is none of x86_64, arm64" in logged
    assert _compose(broken, "down").returncode == 0
    assert _left() == []


def _compose(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def _ships(environ: Mapping[str, str]) -> bool:
    """Order with the very command that a person uses."""
    ordered = subprocess.run(
        [sys.executable, "-m", "harness", "trigger"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ordered.returncode == 0, ordered.stderr
    return bool(json.loads(ordered.stdout.splitlines()[-1])["status"] == "SHIPPING_SCHEDULED")


def _left() -> list[str]:
    """Name what is still there of the project: its own, and its functions' containers."""
    client = docker.from_env()
    ours: dict[str, Any] = {"label": f"com.docker.compose.project={PROJECT}"}
    functions: dict[str, Any] = {"label": f"ministack.instance={PROJECT}-emulator:4566"}
    return [
        *(str(one.name) for one in client.containers.list(all=True, filters=ours)),
        *(str(one.name) for one in client.containers.list(all=True, filters=functions)),
        *(str(one.name) for one in client.networks.list(filters=ours)),
        *(str(one.name) for one in client.volumes.list(filters=ours)),
    ]

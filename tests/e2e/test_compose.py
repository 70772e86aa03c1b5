"""docker compose: up, order, up again, lose the emulator, down, and nothing is left.

It runs as on a plain machine. Only what is built before knows of certificates.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.emulator import ROOT
from harness.images import bases, engine_host
from tests.engine import engine_socket, needs_engine

pytestmark = needs_engine

PROJECT = f"order-saga-compose-{os.getpid()}"
SETTINGS = re.findall(r"^# ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
# Compose's own name of a project is one more that a shell may have.
EMPTY = dict.fromkeys((*SETTINGS, "COMPOSE_PROJECT_NAME", "SAGA_FILES", "PIP_CERT"), "")
# What compose.yaml says to type.
[INSIDE] = re.findall(r"(docker compose exec saga .+)", (ROOT / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    """Return an environment with only the settings that this machine needs, and the rest empty."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.endswith("CERT_FILE")},
        **EMPTY,
        **{name: value for name, value in bases().items() if name.endswith("_BASE")},
        "COMPOSE_PROJECT_NAME": PROJECT,
        "DOCKER_SOCKET": engine_socket(),
        "EMULATOR_PORT": port,
        "SAGA_ENDPOINT": f"http://127.0.0.1:{port}",
    }
    for build in (["build"], ["run", "--rm", "--no-deps", "deploy", "build"]):
        built = _compose({**environ, "CA_BUNDLE": bundle}, *build)
        assert built.returncode == 0, built.stderr
    yield environ
    _compose(environ, "down", "--volumes")


def test_compose_starts_serves_recovers_and_leaves_nothing(environ: Mapping[str, str]) -> None:
    started = _compose(environ, "up", "--detach", "--wait")
    assert started.returncode == 0, started.stderr
    assert "The orders' API: http://localhost:" in _compose(environ, "logs", "deploy").stdout
    assert _ships(environ)
    assert _ships_inside(environ)

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


def test_compose_works_where_docker_gives_containers_a_proxy_that_they_cannot_reach(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    dead = {"httpProxy": "http://127.0.0.1:9", "allProxy": "socks5://127.0.0.1:9"}
    proxies = {"default": {**dead, "httpsProxy": "http://127.0.0.1:9", "noProxy": "[::1]"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    behind = {**environ, "DOCKER_CONFIG": str(tmp_path)}

    started = _compose(behind, "up", "--detach", "--wait")

    assert started.returncode == 0, started.stderr
    assert _ships_inside(behind)
    assert _compose(behind, "down").returncode == 0


def test_compose_works_on_a_socket_elsewhere_that_a_context_names(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "engine.sock"
    elsewhere.symlink_to(engine_host().removeprefix("unix://"))
    there = {**environ, "DOCKER_CONFIG": str(tmp_path), "DOCKER_SOCKET": str(elsewhere)}
    there.pop("DOCKER_HOST", None)
    for step in (["create", "other", "--docker", f"host=unix://{elsewhere}"], ["use", "other"]):
        subprocess.run(["docker", "context", *step], env=there, check=True, capture_output=True)

    started = _compose(there, "up", "--detach", "--wait")

    assert started.returncode == 0, started.stderr
    assert _ships_inside(there)
    assert _compose(there, "down").returncode == 0


def test_compose_names_the_socket_that_is_not_there_and_makes_no_folder_of_it(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    missing = tmp_path / "docker.sock"

    started = _compose({**environ, "DOCKER_SOCKET": str(missing)}, "up", "--detach", "--wait")

    assert started.returncode != 0
    assert f"bind source path does not exist: {missing}" in started.stderr
    assert not missing.exists()
    assert _compose(environ, "down").returncode == 0


def test_a_setting_that_is_empty_is_as_one_that_is_not_set(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    unset = {name: value for name, value in os.environ.items() if name not in EMPTY}

    without = _compose(unset, "config", folder=copy)
    empty = [_compose({**unset, name: ""}, "config", folder=copy) for name in EMPTY]
    all_empty = _compose({**unset, **EMPTY}, "config", folder=copy)

    assert without.returncode == 0, without.stderr
    assert [one.stdout for one in (*empty, all_empty)] == [without.stdout] * (len(EMPTY) + 1)


def test_a_base_image_whose_name_is_empty_is_as_one_that_is_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAMBDA_BASE", "")

    found = bases.__wrapped__()

    assert found["LAMBDA_BASE"]


@pytest.mark.parametrize("token", ["", "ls-token"])
@pytest.mark.parametrize("bundle", ["ca.pem", "./ca.pem", "compose/../ca.pem"])
def test_certificates_are_found_beside_compose_yaml(
    bundle: str, token: str, tmp_path: Path
) -> None:
    copy = _copy(tmp_path)
    environ = {**os.environ, "CA_BUNDLE": bundle, "LOCALSTACK_AUTH_TOKEN": token}

    configured = _compose(environ, "config", "--format", "json", folder=copy)

    assert configured.returncode == 0, configured.stderr
    assert json.loads(configured.stdout)["secrets"]["ca"]["file"] == str(copy / "ca.pem")


@pytest.mark.parametrize("project", ["", "shop"])
def test_localstack_finds_its_own_container_and_its_functions_its_network(
    project: str, tmp_path: Path
) -> None:
    environ = {**os.environ, "COMPOSE_PROJECT_NAME": project, "LOCALSTACK_AUTH_TOKEN": "ls-token"}

    configured = _compose(environ, "config", "--format", "json", folder=_copy(tmp_path))
    config = json.loads(configured.stdout)
    emulator = config["services"]["emulator"]

    name = f"{project or 'order-saga'}-emulator"
    assert [emulator["container_name"], emulator["hostname"]] == [name, name]
    assert emulator["environment"]["MAIN_CONTAINER_NAME"] == name
    assert list(emulator["networks"]) == ["default"]
    network = config["networks"]["default"]["name"]
    assert emulator["environment"]["LAMBDA_DOCKER_NETWORK"] == network


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


def _compose(
    environ: Mapping[str, str], *arguments: str, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=folder,
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


def _ships_inside(environ: Mapping[str, str]) -> bool:
    """Order with the very command that compose.yaml gives."""
    _, _, *command = shlex.split(INSIDE)
    ordered = _compose(environ, *command)
    assert ordered.returncode == 0, ordered.stderr
    return bool(json.loads(ordered.stdout.splitlines()[-1])["status"] == "SHIPPING_SCHEDULED")


def _copy(folder: Path) -> Path:
    """Copy what compose reads, without anybody's .env beside it."""
    shutil.copytree(ROOT / "compose", folder / "compose")
    shutil.copy(ROOT / "compose.yaml", folder)
    return folder


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

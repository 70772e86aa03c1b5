"""compose/engine: finds the engine that the docker command uses, and stops only its own."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from harness.emulator import ROOT
from harness.images import engine_host, engine_problem
from tests.engine import needs_engine

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="needs docker's command")

# What a shell may have that says where an engine is.
PLACES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose docker command has no configuration."""
    kept = {name: value for name, value in os.environ.items() if name not in PLACES}
    return {**kept, "DOCKER_CONFIG": str(tmp_path / "docker")}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return another path that the socket of this machine's engine has."""
    path = tmp_path / "engine.sock"
    path.symlink_to(engine_host().removeprefix("unix://"))
    return path


@pytest.fixture
def closed() -> Iterator[str]:
    """Return a TCP address on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{bound.getsockname()[1]}"


@needs_engine
@pytest.mark.parametrize("by", ["DOCKER_HOST", "DOCKER_CONTEXT", "docker context use"])
def test_the_socket_is_the_one_that_the_docker_command_uses(
    by: str, environ: dict[str, str], elsewhere: Path
) -> None:
    if by == "DOCKER_HOST":
        environ |= {"DOCKER_HOST": f"unix://{elsewhere}", "DOCKER_CONTEXT": "is not looked at"}
    else:
        _docker(environ, "context", "create", "other", "--docker", f"host=unix://{elsewhere}")
        if by == "DOCKER_CONTEXT":
            environ |= {"DOCKER_CONTEXT": "other"}
        else:
            _docker(environ, "context", "use", "other")

    found = _engine(environ, "socket")

    assert (found.returncode, found.stdout) == (0, f"DOCKER_SOCKET={elsewhere}\n"), found.stderr


@needs_engine
def test_an_engine_that_runs_elsewhere_is_named_and_no_other_is_started(
    environ: dict[str, str], elsewhere: Path
) -> None:
    environ |= {"DOCKER_HOST": f"unix://{elsewhere}"}

    twice = [_engine(environ, "up") for _ in range(2)]

    said = f"A Docker engine runs already, at unix://{elsewhere}.\n"
    assert [(up.returncode, up.stdout, up.stderr) for up in twice] == [(0, said, "")] * 2


@needs_engine
def test_docker_py_and_the_docker_command_use_the_same_engine() -> None:
    shown = subprocess.run(
        ["docker", "info", "--format", "{{.ID}}"], capture_output=True, text=True, check=True
    )

    assert docker.from_env().info()["ID"] == shown.stdout.strip()


@needs_docker
@pytest.mark.parametrize("host", ["tcp", "ssh://somebody@nowhere.invalid"])
def test_an_engine_without_a_socket_here_is_one_sentence(
    host: str, environ: dict[str, str], closed: str
) -> None:
    address = closed if host == "tcp" else host

    found = _engine({**environ, "DOCKER_HOST": address}, "socket")

    assert (found.returncode, found.stdout, found.stderr) == (
        1,
        "",
        f"compose/engine: The engine is at {address}: put the path that its socket has on its own "
        "machine into .env as DOCKER_SOCKET (mostly /var/run/docker.sock), and have this folder "
        "at the same path there.\n",
    )


@needs_docker
@pytest.mark.parametrize("where", ["a socket", "an address", "a context"])
def test_up_starts_no_engine_that_the_docker_command_would_not_use(
    where: str, environ: dict[str, str], closed: str, tmp_path: Path
) -> None:
    host = closed if where == "an address" else f"unix://{tmp_path}/none.sock"
    if where == "a context":
        _docker(environ, "context", "create", "other", "--docker", f"host={host}")
        environ |= {"DOCKER_CONTEXT": "other"}
    else:
        environ |= {"DOCKER_HOST": host}

    started = _engine(environ, "up", tmp_path)

    assert (started.returncode, started.stdout, started.stderr) == (
        1,
        "",
        f"compose/engine: No engine responds at {host}: start that one, or unset DOCKER_HOST and "
        "type `docker context use default` to have one started here.\n",
    )


@needs_docker
def test_a_context_that_is_not_there_is_one_sentence(environ: dict[str, str]) -> None:
    found = _engine({**environ, "DOCKER_CONTEXT": "gone"}, "socket")

    assert (found.returncode, found.stderr) == (
        1,
        "compose/engine: Docker has no context gone: `docker context ls` lists those that there "
        "are.\n",
    )


def test_down_leaves_a_process_that_only_has_the_number_of_the_engine(
    environ: dict[str, str], tmp_path: Path
) -> None:
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as other:
        noted = tmp_path / ".saga" / "engine" / "dockerd.pid"
        noted.parent.mkdir(parents=True)
        noted.write_text(str(other.pid))

        stopped = [_engine(environ, "down", tmp_path) for _ in range(2)]

        said = "No Docker engine was started here.\n"
        assert [(down.returncode, down.stdout) for down in stopped] == [(0, said)] * 2
        assert other.poll() is None
        other.communicate(b"\n")


@needs_docker
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
            "No Docker engine responds at unix:///nowhere/docker.sock: start it, name another by "
            "DOCKER_HOST or `docker context use`, or go without it by `make demo`.",
        ),
        (
            {"DOCKER_HOST": "odd://"},
            "Correct DOCKER_HOST, DOCKER_CONTEXT or docker's context: ",
        ),
        (
            {"DOCKER_CONTEXT": "gone"},
            "Correct DOCKER_HOST, DOCKER_CONTEXT or docker's context: ",
        ),
    ],
    ids=["no socket", "an odd host", "no context"],
)
def test_the_saga_command_says_where_it_looked_for_an_engine(
    settings: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    found = engine_problem()

    assert found is not None
    assert found.startswith(problem)
    assert "\n" not in found


def test_an_engine_that_refuses_this_user_is_named_in_every_wording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "docker"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/engine.sock")
    wordings = (
        "permission denied while trying to connect to the Docker daemon socket at unix:///x",
        "permission denied while trying to connect to the docker API at unix:///x",
        "Got Permission denied while trying to connect to the Docker daemon socket",
        "unable to connect to Podman socket: dial unix /x: connect: permission denied",
    )

    problems = set()
    for wording in wordings:
        command.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo "{wording}" >&2\nexit 1\n')
        command.chmod(0o755)
        problems.add(engine_problem())

    assert problems == {
        "This user may not use the Docker engine at unix:///run/engine.sock: add it to the group "
        "of that socket (mostly docker), log in again."
    }


def _engine(
    environ: dict[str, str], command: str, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run compose/engine: the repository's, or a copy of it in a folder."""
    script = folder / "compose" / "engine"
    if not script.exists():
        script.parent.mkdir()
        shutil.copy(ROOT / "compose" / "engine", script)
    return subprocess.run(
        [script, command], env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def _docker(environ: dict[str, str], *arguments: str) -> None:
    subprocess.run(["docker", *arguments], env=environ, check=True, capture_output=True)

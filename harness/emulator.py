"""The local environment's emulator: one MiniStack process, its functions as its children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import msgspec

from harness.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
EMULATOR_PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
REGION = "us-east-1"
START_SECONDS = 60
STOP_SECONDS = 5


# What this process started and still has to stop, without a detached emulator.
_children: dict[int, subprocess.Popen[bytes]] = {}


class Emulator(msgspec.Struct, frozen=True):
    """A running emulator: its process group and where it listens."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """The address of every AWS API it serves."""
        return f"http://127.0.0.1:{self.port}"

    def lives(self) -> bool:
        """Return whether the process exists; one that is not ours counts as gone."""
        try:
            os.kill(self.pid, 0)
            command = Path(f"/proc/{self.pid}/cmdline")
            return not command.parent.parent.joinpath("self").exists() or (
                b"emulator_main" in command.read_bytes()
            )
        except (ProcessLookupError, PermissionError, FileNotFoundError):
            return False


def answers(endpoint: str) -> bool:
    """Return whether an emulator responds there."""
    try:
        return httpx.get(f"{endpoint}/_localstack/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def start(home: Path, port: int | None, *, enforce_permissions: bool = False) -> Emulator:
    """Start an emulator that keeps all its files under `home`, and wait until it responds.

    With `enforce_permissions`, roles and functions may do what their policies allow, no more.
    Raises UserError when the port is taken or the emulator ends before it responds.
    """
    if not EMULATOR_PYTHON.exists():
        raise UserError("The emulator is not installed: run `make setup`.")
    port = _free_port() if port is None else _require_free(port)
    end_orphans(home)
    temporary = _temporary(home)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    environment = _environment(port, temporary)
    if enforce_permissions:
        environment["AUTH"] = "true"
    with _undisturbed():
        process = _spawn(home, environment)
    emulator = Emulator(process.pid, port)
    deadline = time.monotonic() + START_SECONDS
    try:
        while not answers(emulator.url):
            if process.poll() is not None:
                raise UserError(f"The emulator ended at once: {last_line(home)}")
            if time.monotonic() > deadline:
                raise UserError(f"The emulator did not respond in {START_SECONDS} s: try again.")
            time.sleep(0.05)
    except BaseException:
        stop(emulator)
        raise
    return emulator


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and a termination wait meanwhile: no process is started and not noted."""
    if threading.current_thread() is not threading.main_thread():
        yield  # they interrupt only the main one
        return
    waiting: list[int] = []
    endings = (signal.SIGINT, signal.SIGTERM)
    before = [
        signal.signal(one, lambda *signalled: waiting.append(signalled[0])) for one in endings
    ]
    try:
        yield
    finally:
        for one, handler in zip(endings, before, strict=True):
            signal.signal(one, handler)
    for number in waiting:
        signal.raise_signal(number)


def _spawn(home: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (home / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [str(EMULATOR_PYTHON), str(Path(__file__).with_name("emulator_main.py"))],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process


def stop(emulator: Emulator) -> None:
    """End the emulator and every function it started; fine when they are gone already."""
    _stop_group(emulator.pid)


def stop_children() -> None:
    """End every emulator that this process started and did not detach from."""
    for pid in list(_children):
        _stop_group(pid)


def end_orphans(home: Path) -> bool:
    """End what a killed emulator of this home left behind; return whether there was any.

    A function that waits for an event ends by itself, a busy one outlives its emulator.
    They are known by the folder that they were given.
    """
    mark = f"TMPDIR={_temporary(home)}".encode()
    ended = False
    for process in Path("/proc").glob("[0-9]*"):
        # Some are not ours to look at, and some end while we look.
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
                ended = True
    return ended


def _temporary(home: Path) -> Path:
    return home.absolute() / "tmp"


def detach(emulator: Emulator) -> None:
    """Let the emulator outlive this process."""
    # Popen would warn of a child that it never saw end.
    _children.pop(emulator.pid).returncode = 0


def _stop_group(group: int) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, ending)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if group in _children and _children[group].poll() is not None:
                del _children[group]
            if _is_gone(group):
                return
            time.sleep(0.02)


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def last_line(home: Path) -> str:
    """Return the last thing the emulator logged, and where to read the rest."""
    log = home / "emulator.log"
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    logged = [line for line in lines if line.strip()]
    return f"{logged[-1].strip() if logged else 'it logged nothing'} (all of it: {log})"


def _environment(port: int, temporary: Path) -> dict[str, str]:
    """Build the environment of the emulator, which its functions inherit."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(temporary),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _require_free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"Port {port} cannot be had ({error.strerror}): give another with --port, or none."
            ) from error
    return port

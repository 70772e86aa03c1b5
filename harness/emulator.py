"""The local environment's emulator: one MiniStack process, its functions as its children."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from harness.connect import REGION, ask, http
from harness.errors import UserError
from plumbing.untrusted import MalformedError, decode_json

ROOT = Path(__file__).resolve().parent.parent
EMULATOR_PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
# The host in names and addresses of LocalStack, where those of AWS have amazonaws.com.
LOCALSTACK_HOST = "localhost.localstack.cloud"
START_SECONDS = 60
STOP_SECONDS = 5
# Has a digest of its home in the environment of every process of a local environment.
MARK = "SAGA_HOME_MARK"
PROC = Path("/proc")
# What ends a command: Ctrl-C, a termination, a closed terminal, and any of these given again.
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)


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

    def lives(self, home: Path) -> bool:
        """Return whether it still runs, and is of this home.

        Its id may be another process's by now, and the file that names it a copy from another home.
        """
        return self.pid in _processes(home, self.pid)


def answers(endpoint: str) -> bool:
    """Return whether an emulator responds there."""
    try:
        with http(timeout=2) as client:
            answer = ask(client, "GET", f"{endpoint}/_localstack/health", seconds=2)
        return answer.is_success and "services" in decode_json(answer.content, dict[str, Any])
    except (httpx.HTTPError, MalformedError):
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
    remove_files(home)
    files = _files(home)
    files.mkdir(parents=True)
    environment = _environment(port, files) | {MARK: _mark(home)}
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
    """Let what ends a command wait until a step is done as a whole."""
    if threading.current_thread() is not threading.main_thread():
        yield  # they interrupt only the main one
        return
    waiting: list[int] = []
    before = [
        signal.signal(one, lambda *signalled: waiting.append(signalled[0])) for one in ENDINGS
    ]
    try:
        yield
    finally:
        for one, handler in zip(ENDINGS, before, strict=True):
            signal.signal(one, handler)
    for number in waiting:
        signal.raise_signal(number)


def _spawn(home: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (home / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [str(EMULATOR_PYTHON), "-I", str(Path(__file__).with_name("emulator_main.py"))],
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
    # A terminal that closes may say so more than once.
    with _undisturbed():
        for pid in list(_children):
            _stop_group(pid)


def end_orphans(home: Path) -> bool:
    """End every emulator and function of this home, noted or not; return whether there was any.

    A killed command leaves its emulator, and a killed emulator leaves the functions that are busy:
    one that waits for an event ends by itself.
    """
    ended = False
    deadline = time.monotonic() + STOP_SECONDS
    while (found := _processes(home)) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended = True
        time.sleep(0.02)
    for pid in list(_children):
        _is_reaped(pid)
    return ended


def remove_files(home: Path) -> None:
    """Remove the files that the emulator of this home and its functions made."""
    shutil.rmtree(_files(home), ignore_errors=True)


def _files(home: Path) -> Path:
    # No name that a folder could have already: a person may give any as home.
    return home.absolute() / "emulator.files"


def _mark(home: Path) -> str:
    """Return what an emulator of this home, and its functions, have as MARK."""
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()


def _processes(home: Path, pid: int | None = None) -> list[int]:
    """Return the ids of the processes of this home, or only this one if it is of this home."""
    mark = f"{MARK}={_mark(home)}"
    if (PROC / "self/environ").exists():
        return list(_marked(mark, "*" if pid is None else str(pid)))
    # On macOS, ps shows the environment after the command.
    which = ["-A"] if pid is None else ["-p", str(pid)]
    listed = subprocess.run(
        ["ps", *which, "-wwE", "-o", "pid=,command="], capture_output=True, text=True, check=False
    )
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if mark in line]


def _marked(mark: str, pattern: str) -> Iterator[int]:
    for process in PROC.glob(pattern):
        # Some are not ours to look at, and some end while we look.
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark.encode() in (
                (process / "environ").read_bytes().split(b"\0")
            ):
                yield int(process.name)


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
            if _is_reaped(group) and _is_gone(group):
                return
            time.sleep(0.02)


def _is_reaped(pid: int) -> bool:
    """Return whether a process is no child of this one, any more."""
    if pid in _children and _children[pid].poll() is not None:
        del _children[pid]
    return pid not in _children


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def last_line(home: Path) -> str:
    """Return the last thing the emulator logged, and where to read the rest; "" without a log."""
    log = home / "emulator.log"
    if not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    logged = [line for line in lines if line.strip()]
    return f"{logged[-1].strip() if logged else 'it logged nothing'} (all of it: {log})"


def _environment(port: int, files: Path) -> dict[str, str]:
    """Build the environment of the emulator, which its functions inherit."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        # Not the person's: a profile in ~/.aws could send the functions' calls to AWS itself.
        "HOME": str(files),
        "PYTHONUTF8": "1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_REGION": REGION,
        "TMPDIR": str(files),
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

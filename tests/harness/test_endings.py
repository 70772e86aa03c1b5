"""What ends badly is found again: by the next command, whatever is left of its notes."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from harness import emulator, environment
from harness.emulator import ROOT, Emulator
from harness.environment import Environment
from tests.e2e.shop import eventually
from tests.harness.elsewhere import listening, response


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    for one in (home, environment.demo_home(home)):
        environment.down(one)


@pytest.fixture
def original(tmp_path: Path) -> Iterator[tuple[Path, Emulator]]:
    """Start an emulator under a home, noted there as `up` does."""
    home = tmp_path / "original"
    home.mkdir()
    started = emulator.start(home, None)
    noted = Environment(started.url, started.url, started)
    environment.note(home, noted)
    yield home, started
    emulator.stop(started)


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_closed_terminal_ends_a_command_as_ctrl_c_does(
    home: Path, command: str, ending: signal.Signals
) -> None:
    with _stay(home, command) as process:
        eventually(lambda: _log(home, command).exists())

        # A shell and its terminal may both say that they are gone.
        process.send_signal(ending)
        process.send_signal(ending)
        _, errors = process.communicate(timeout=60)

    # To a shell both are 130: Python ends by the signal itself when that came amid an import.
    assert process.returncode in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
    assert _down(home) == "Nothing was running.\n"


def test_an_interrupt_that_python_drops_is_given_again() -> None:
    ran = _run_with(
        """
class Response(io.BufferedIOBase):
    def close(self):
        signal.raise_signal(signal.SIGHUP)

def command(_):
    Response()  # is finalized at once, and Python drops what that raises
    print("lost", flush=True)
    time.sleep(60)
"""
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "lost\n(0.0, 0.0)\n", "")


def test_no_signal_is_still_to_come_when_a_command_has_ended() -> None:
    ran = _run_with("def command(_): signal.raise_signal(signal.SIGINT)")

    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "(0.0, 0.0)\n", "")


def test_a_command_that_outlives_its_terminal_is_left_alone(home: Path) -> None:
    with _stay(home, "up", ignoring=signal.SIGHUP) as process:
        eventually(lambda: environment.find(home))

        process.send_signal(signal.SIGHUP)
        stopped = _down(home)
        process.communicate(timeout=60)

    assert stopped == "Stopped.\n"
    assert process.returncode == 0


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize("removed", [False, True], ids=["its files there", "its files gone"])
def test_what_a_killed_command_leaves_is_stopped_by_down(
    home: Path, command: str, removed: bool
) -> None:
    with _stay(home, command) as process:
        eventually(lambda: _log(home, command).exists())
        process.kill()
        process.communicate(timeout=60)
    if removed:
        shutil.rmtree(home)

    first, second = _down(home), _down(home)

    assert (first, second) == ("Stopped.\n", "Nothing was running.\n")


def test_an_up_that_was_suspended_leaves_what_was_started_here_since(home: Path) -> None:
    with _stay(home, "up") as process:
        eventually(lambda: environment.find(home))
        process.send_signal(signal.SIGSTOP)
        stopped = _down(home)
        started, newer = environment.up(home, None, lambda _: None)
        process.send_signal(signal.SIGCONT)
        told, _ = process.communicate(timeout=60)

        assert (stopped, process.returncode) == ("Stopped.\n", 0)
        assert "Stopped by `saga down`." in told
        assert newer.lives(home)
        assert environment.find(home) == started


def test_many_orders_that_do_not_end_are_not_waited_for_after_ctrl_c(home: Path) -> None:
    asked = threading.Event()
    created = {
        "status": "CREATED",
        "history": [{"status": "CREATED", "at": "2026-01-31T09:00:00Z"}],
    }
    body = json.dumps({"orderId": str(UUID(int=1)), **created}).encode()

    def respond(connection: socket.socket) -> None:
        if connection.recv(65536).startswith(b"GET"):
            asked.set()
            connection.sendall(response(body))
        else:
            connection.sendall(response(body, "202 Accepted"))

    with (
        listening(respond) as url,
        _stay(home, "trigger", "--count", "40", "--timeout", "9000", "--api-url", url) as process,
    ):
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (130, "")


def test_an_up_after_all_files_are_gone_leaves_one_emulator(
    original: tuple[Path, Emulator],
) -> None:
    home, lost = original
    shutil.rmtree(home)
    home.mkdir()

    started = emulator.start(home, None)

    assert (lost.lives(home), started.lives(home)) == (False, True)
    assert environment.down(home) is True
    assert started.lives(home) is False


def test_down_in_a_copied_folder_leaves_the_original_alone(
    original: tuple[Path, Emulator], tmp_path: Path
) -> None:
    home, started = original
    copy = shutil.copytree(home, tmp_path / "copy")

    found, stopped = environment.find(copy), environment.down(copy)

    assert (found, stopped) == (None, False)
    assert started.lives(home)


def test_a_home_by_another_path_is_the_same_home(
    original: tuple[Path, Emulator], tmp_path: Path
) -> None:
    home, started = original
    link = tmp_path / "link"
    link.symlink_to(home)

    assert environment.find(link) == environment.find(home)
    assert environment.down(link) is True
    assert not started.lives(home)


def test_a_process_that_has_the_id_now_is_left_alone(
    original: tuple[Path, Emulator],
) -> None:
    home, started = original
    with subprocess.Popen(["sleep", "60"]) as other:
        reused = Environment(started.url, started.url, Emulator(other.pid, started.port))
        environment.note(home, reused)

        found, stopped = environment.find(home), environment.down(home)
        still = other.poll()
        other.kill()

    assert (found, stopped, still) == (None, True, None)
    assert not started.lives(home)


def test_where_processes_show_no_environment_as_a_file_ps_finds_them(
    original: tuple[Path, Emulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, started = original
    ps = tmp_path / "ps"
    # What ps prints on macOS, by the options that Linux has for it.
    ps.write_text(
        '#!/bin/sh\n[ "$1" = -p ] && exec /bin/ps ewwp $2 -o pid=,args=\n'
        "exec /bin/ps axeww -o pid=,args=\n"
    )
    ps.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(emulator, "PROC", tmp_path / "no-such-folder")

    lives, elsewhere = started.lives(home), started.lives(tmp_path)
    ended = emulator.end_orphans(home)

    assert (lives, elsewhere, ended) == (True, False, True)
    assert not started.lives(home)


def test_down_waits_for_an_up_and_stops_what_it_started(home: Path) -> None:
    with _stay(home, "up", "--detach") as process:
        eventually(lambda: _log(home, "up").exists())

        stopped = _down(home)
        process.communicate(timeout=60)

    assert process.returncode == 0
    assert stopped == (
        "Waiting for another saga command that is busy with a deployment here\nStopped.\n"
    )
    assert _down(home) == "Nothing was running.\n"


@pytest.mark.parametrize("command", ["up", "demo"])
def test_an_emulator_that_is_killed_while_it_is_used_is_one_sentence(
    home: Path, command: str
) -> None:
    with _stay(home, command) as process:
        assert process.stdout is not None
        assert any("Synthesizing" in line for line in process.stdout)

        for pid in _emulators(_log(home, command).parent):
            os.kill(pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "Traceback" not in errors
    assert errors.count("saga: ") == 1
    assert "emulator.log" in errors


@pytest.mark.parametrize(
    "command",
    [
        ["trigger", "--timeout", "2"],
        ["trigger", "--count", "20", "--timeout", "2"],
        ["order", str(UUID(int=1))],
        ["trace", "--open"],
        ["stock"],
        ["failures"],
        ["redrive"],
        ["resume"],
        ["logs"],
        ["deploy", "charge_payment", "--anyway"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("what", ["gone", "empty"])
def test_an_emulator_that_has_gone_or_lost_all_is_one_sentence(
    original: tuple[Path, Emulator], command: list[str], what: str
) -> None:
    home, started = original
    if what == "gone":
        # It is still there and does not listen any more, as while it is being ended.
        noted = Environment("http://127.0.0.1:9", "http://127.0.0.1:9", started)
        environment.note(home, noted)

    ran = _saga(home, *command)

    # One that has lost all still takes a deployment.
    assert ran.returncode == (0 if what == "empty" and command[0] == "deploy" else 1)
    assert ran.stderr.startswith("saga: " if ran.returncode else "")
    assert "Traceback" not in ran.stderr


def test_a_second_demo_at_once_is_one_sentence_and_leaves_the_first_alone(home: Path) -> None:
    with _stay(home, "demo") as first:
        eventually(lambda: _log(home, "demo").exists())

        second, stopped = _saga(home, "demo"), _down(home)
        first.communicate(timeout=120)

    assert second.returncode == 1
    assert second.stderr == (
        "saga: Another saga command is busy with a demo here: wait until it is done.\n"
    )
    assert stopped == "Nothing was running.\n"
    assert first.returncode == 0


def test_what_is_noted_is_whole_at_any_time(original: tuple[Path, Emulator]) -> None:
    home, _ = original
    state = home / "environment.json"
    whole = state.read_bytes()

    for length in range(0, len(whole), 20):
        state.write_bytes(whole[:length])
        assert environment.started(home) is None

    state.write_bytes(whole)
    assert environment.started(home) is not None


@pytest.mark.parametrize(
    ("make", "named", "status"),
    [
        (lambda folder: _file(folder / "file"), "give a folder, not", 2),
        (lambda folder: "", "give a folder, not nothing", 2),
        (lambda folder: str(folder / ("x" * 300)), "give a folder, not", 2),
        (lambda folder: "~no-such-user/home", "give a folder, not", 2),
        (lambda folder: f"{_file(folder / 'file')}/below", "cannot be used (Not a directory)", 1),
        (lambda folder: "/dev/null/home", "cannot be used (Not a directory)", 1),
        (lambda folder: "/proc/home", "cannot be used (No such file or directory)", 1),
    ],
    ids=["a file", "empty", "too long", "nobody's", "below a file", "a device", "read-only"],
)
@pytest.mark.parametrize("command", ["up", "demo", "stock", "down"])
def test_a_home_that_cannot_be_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], str], named: str, status: int, command: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "--home", make(tmp_path), command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert "Traceback" not in ran.stderr
    if status == 2 or command in ("up", "demo"):
        assert (ran.returncode, named in ran.stderr) == (status, True), ran.stderr


def test_down_removes_nothing_of_a_folder_that_has_other_files(tmp_path: Path) -> None:
    theirs = tmp_path / "tmp" / "notes"
    theirs.parent.mkdir()
    theirs.write_text("mine")

    assert _down(tmp_path) == "Nothing was running.\n"
    assert theirs.read_text() == "mine"


def _file(path: Path) -> str:
    path.write_text("")
    return str(path)


def _log(home: Path, command: str) -> Path:
    return (environment.demo_home(home) if command == "demo" else home) / "emulator.log"


def _emulators(home: Path) -> list[int]:
    """Return the ids of the emulators of this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"emulator_main" in (process / "cmdline").read_bytes() and Emulator(
                int(process.name), 0
            ).lives(home):
                found.append(int(process.name))
    return found


def _down(home: Path) -> str:
    return _saga(home, "down").stdout


def _saga(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "--home", str(home), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _run_with(command: str) -> subprocess.CompletedProcess[str]:
    """Run `saga` with this as its command, and print what alarm is set in the end."""
    program = f"""
import io, signal, time
from harness import cli
from harness.commands.command import Command
{command}
cli.COMMANDS = (Command(command, deployed=False),)
code = cli.main(["command"])
print(signal.getitimer(signal.ITIMER_REAL))
raise SystemExit(code)
"""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'services'}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@contextlib.contextmanager
def _stay(
    home: Path, *arguments: str, ignoring: signal.Signals | None = None
) -> Iterator["subprocess.Popen[str]"]:
    def prepare() -> None:
        if ignoring:
            signal.signal(ignoring, signal.SIG_IGN)

    with subprocess.Popen(
        [sys.executable, "-m", "harness", "--home", str(home), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    ) as process:
        try:
            yield process
        finally:
            process.kill()

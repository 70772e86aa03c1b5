"""What is printed: text from outside stays text, in every encoding, whoever reads it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from harness import environment, terminal
from harness.emulator import ROOT
from harness.environment import Environment
from harness.errors import UserError
from harness.failures import Failure, Message
from tests.engine import MAY_SKIP

ODD = {
    "markup": "[/]",
    "a style": "[bold red]x[/bold red]",
    "a link": "[link=http://x]y[/link]",
    "an emoji": ":100:",
    "a clearing": "a\x1b[2Jb",
    "a title": "\x1b]0;owned\x07",
    "a C1 control": "\x9b31m",
    "a new line": "one\ntwo\r\nthree",
    "a backspace": "ok\b\bno",
    "a null": "\0",
    "a delete": "\x7f",
    "a turn of direction": "\u202egpj.exe",
    "half a pair": "\udcff",
    "a line separator": "\u2028",
}
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E)} - {"\n"}

LOCALE = "en_US.ISO-8859-1"
SOURCES = Path("/usr/share/i18n/locales/en_US")


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_text_from_outside_is_one_line_of_text(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.say("sku ", (text, "bold"), " 10")
    terminal.complain(f"no {text}")

    printed, complained = capsys.readouterr()
    assert not CONTROLS & {*printed, *complained}
    assert (printed.count("\n"), complained.count("\n")) == (1, 1)
    if text.isprintable():
        assert printed == f"sku {text} 10\n"
        assert complained == f"saga: no {text}\n"


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_json_is_what_it_was_and_has_no_controls(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.say_json({"reason": text})

    printed = capsys.readouterr().out
    assert not CONTROLS & {*printed}
    assert json.loads(printed) == {"reason": text}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_a_failure_is_one_line_of_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    failure = Failure(payload=b"", event=text, order_id=text, kind="poison", reason=text)
    message = Message(
        service="charge_payment", failure=failure, since=at, message_id=text, receipt=""
    )

    terminal.say(terminal.failure_line(message, at))

    printed = capsys.readouterr().out
    assert not CONTROLS & {*printed}
    assert printed.count("\n") == 1


@pytest.mark.parametrize("text", [one for one in ODD.values() if "\0" not in one])
def test_an_argument_is_named_as_text(text: str) -> None:
    called = _saga("trigger", "--scenario", os.fsencode(text))

    assert called.returncode == 2
    assert not CONTROLS & {*called.stderr}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    yield home
    environment.down(home)


@pytest.fixture(scope="module")
def running(home: Path) -> Environment:
    started, _ = environment.up(home, None, lambda _: None)
    return started


def test_every_sku_is_listed_as_it_is(home: Path, running: Environment) -> None:
    odd = {text: 7 for text in ODD.values() if text != "\udcff"}
    running.stock.set(odd)

    listed = _saga("--home", home, "stock")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert not CONTROLS & {*listed.stdout}
    assert sum(line.endswith(" 7") for line in listed.stdout.splitlines()) == len(odd)
    assert "[/]                  7\n" in listed.stdout
    assert ":100:                7\n" in listed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        *(["trigger"], ["stock"], ["logs"], ["trace", "--open"], ["failures"], ["resume"]),
        *(["--help"], ["trigger", "--help"]),
    ],
)
def test_a_reader_that_has_gone_ends_a_command_well(
    home: Path, running: Environment, arguments: list[str]
) -> None:
    with _unread() as output:
        called = _saga("--home", home, *arguments, stdout=output)

    assert (called.returncode, called.stderr) == (0, "")


def test_what_a_command_does_is_done_also_when_nobody_reads(tmp_path: Path) -> None:
    with _unread() as output:
        called = _saga("--home", tmp_path, "up", "--detach", stdout=output)
        found = environment.find(tmp_path)
        ordered = _saga("--home", tmp_path, "trigger", "--scenario", "all", stdout=output)
        listed = _saga("--home", tmp_path, "logs")
        environment.down(tmp_path)

    assert (called.returncode, called.stderr, bool(found)) == (0, "", True)
    assert (ordered.returncode, ordered.stderr) == (0, "")
    assert "INVENTORY_RELEASED" in listed.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["trigger", "--help"]])
def test_a_help_that_cannot_be_written_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as output:
        called = _saga(*arguments, stdout=output)

    assert (called.returncode, called.stderr) == (
        1,
        "saga: The output cannot be written (No space left on device).\n",
    )


@pytest.mark.parametrize(("arguments", "status"), [("no-such", 2), ("stock no-such", 1)])
def test_what_cannot_be_complained_of_is_told_by_the_exit_code(
    home: Path, running: Environment, arguments: str, status: int
) -> None:
    called = subprocess.run(
        ["sh", "-c", f'exec "$@" {arguments} 2>/dev/full', "sh", ROOT / "saga", "--home", home],
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert (called.returncode, called.stdout) == (status, b"")


@pytest.mark.parametrize("arguments", [["trigger"], ["stock"], ["failures", "--json"], ["down"]])
def test_an_output_that_is_full_is_one_sentence(
    home: Path, running: Environment, arguments: list[str], tmp_path: Path
) -> None:
    if arguments == ["down"]:
        home = tmp_path
    else:
        _saga("--home", home, "trigger", "--scenario", "declined")
    with Path("/dev/full").open("wb") as output:
        called = _saga("--home", home, *arguments, stdout=output)

    if called.returncode == 0:
        assert arguments == ["failures", "--json"]  # it had nothing to print
    else:
        assert called.returncode == 1
        assert called.stderr == "saga: The output cannot be written (No space left on device).\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "status"), [("stock", 0), ("stock no-such-sku", 1), ("stock a b", 2)]
)
def test_a_command_runs_with_what_is_closed(
    home: Path, running: Environment, closed: str, arguments: str, status: int
) -> None:
    called = subprocess.run(
        ["sh", "-c", f'exec "$@" {arguments} {closed}', "sh", ROOT / "saga", "--home", home],
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert called.returncode == status


def test_a_narrow_locale_gets_escapes_for_what_it_lacks(
    home: Path, running: Environment, tmp_path: Path
) -> None:
    running.stock.set({"K\u00e4se": 3, "\u8336": 4})
    latin = _locale(tmp_path)

    listed = _saga("--home", home, "stock", variables=latin, encoding="latin-1")
    ordered = _saga("--home", home, "trigger", variables=latin, encoding="latin-1")

    assert (listed.returncode, listed.stderr) == (0, "")
    assert "K\u00e4se                 3\n" in listed.stdout
    assert "\\u8336" in listed.stdout
    assert (ordered.returncode, ordered.stderr) == (0, "")
    assert " ms-> SHIPPING_SCHEDULED\n" in ordered.stdout
    assert "CREATED -" in ordered.stdout


def test_files_are_utf_8_in_a_narrow_locale(tmp_path: Path) -> None:
    program = "from pathlib import Path; print(ascii(Path(__file__).read_text()[-1:]))  # \u00e9"
    file = tmp_path / "file.py"
    file.write_text(program, encoding="utf-8")

    from harness.connect import PYTHON

    read = subprocess.run(
        [*PYTHON, file], env=os.environ | _locale(tmp_path), capture_output=True, check=True
    )

    assert read.stdout == b"'\\xe9'\n"


def test_a_terminal_gets_a_problem_on_a_line_of_its_own() -> None:
    ran, shown = _in_a_terminal(
        "    terminal.Progress()('Doing')\n    raise UserError('no \\x1b[2J')\n"
    )

    assert ran.returncode == 1
    assert shown == b"Doing ...\r\nsaga: no \\x1b[2J\r\n"


def test_a_terminal_is_shown_one_line_of_progress_until_something_is_printed() -> None:
    _, shown = _in_a_terminal(
        "    terminal.draw('1 of \\x1b[2J')\n"
        "    terminal.draw('2 of 2')\n"
        "    terminal.draw('2 of 2')\n"
        "    terminal.say('done')\n"
        "    return 0\n"
    )

    erased = b"\r\x1b[2K"
    assert shown == b"%s1 of \\x1b[2J%s2 of 2%sdone\r\n" % (erased, erased, erased)


def test_where_nobody_watches_no_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.draw("1 of 2")
    terminal.say("done")

    assert capsys.readouterr().out == "done\n"


def _in_a_terminal(command: str) -> "tuple[subprocess.CompletedProcess[bytes], bytes]":
    """Run the body of a command whose output and problems go to a terminal."""
    leader, follower = pty.openpty()
    program = (
        "from harness import terminal; from harness.errors import UserError\n"
        f"def command():\n{command}"
        "raise SystemExit(terminal.run(command))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'services'}", "TERM": "xterm"},
        stdout=follower,
        stderr=follower,
        check=False,
    )
    os.close(follower)
    shown = os.read(leader, 10_000)
    os.close(leader)
    return ran, shown


def test_a_command_that_fails_says_so_and_returns_1(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        raise UserError("It is\nso.")

    assert terminal.run(command) == 1
    assert capsys.readouterr().err == "saga: It is\\nso.\n"


@contextmanager
def _unread() -> Iterator[IO[bytes]]:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        yield output


def _locale(folder: Path) -> Mapping[str, str]:
    """Make a locale that is not UTF-8; return the variables that choose it."""
    if not SOURCES.exists() and MAY_SKIP:
        pytest.skip("needs the sources of locales: install Debian's locales")
    subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / LOCALE], check=True)
    return {"LOCPATH": str(folder), "LC_ALL": LOCALE}


def _saga(
    *arguments: str | bytes | Path,
    variables: Mapping[str, str] | None = None,
    encoding: str = "utf-8",
    stdout: object = subprocess.PIPE,
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # type: ignore[no-any-return,call-overload]
        [ROOT / "saga", *arguments],
        env=os.environ | (variables or {}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding=encoding,
        timeout=120,
        check=False,
    )

"""`./saga demo` on machines and in shells of every kind: each row is one run of it.

Variables that do not exclude each other share a run; when it fails, each is tried by itself, so
that the failure names it.
"""

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import environment
from harness.deploy import synthesize
from harness.emulator import ROOT
from harness.environment import HOME
from harness.names import PREFIX

AT_ONCE = 3
SECONDS = 170
ENDS = ("SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED", "Stopped.")
NOWHERE = "/dev/null/nowhere"  # where not even root can make a file
DEAD = "http://127.0.0.1:9"

IGNORES_ENDPOINTS = "[default]\nignore_configured_endpoint_urls = true\nregion = eu-west-1\n"
BROKEN = "[default\nregion = \n"
# Modules that stand where PYTHONPATH points, in place of the libraries of the same name.
SHADOWS = ("json", "boto3", "httpx", "harness", "typing_extensions")


@dataclass(frozen=True)
class Row:
    """One kind of machine; `tmp` in a value stands for a folder of the run's own."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    home: str = "home"
    umask: int = -1
    tty_columns: int | None = None
    closed_stdin: bool = False


ROWS = (
    Row(
        "network",
        {
            "http_proxy": DEAD,
            "https_proxy": DEAD,
            "HTTP_PROXY": DEAD,
            "ALL_PROXY": "socks5://127.0.0.1:9",
            "NO_PROXY": "localhost,[::1]",
            "SSL_CERT_FILE": NOWHERE,
            "SSL_CERT_DIR": NOWHERE,
            "REQUESTS_CA_BUNDLE": " ",
            "CURL_CA_BUNDLE": NOWHERE,
            "NODE_EXTRA_CA_CERTS": NOWHERE,
            "SSLKEYLOGFILE": NOWHERE,
        },
    ),
    Row(
        "AWS",
        {
            "AWS_PROFILE": "no-such-profile",
            "AWS_RETRY_MODE": "odd",
            "AWS_MAX_ATTEMPTS": "abc",
            "AWS_DEFAULTS_MODE": "odd",
            "AWS_CA_BUNDLE": NOWHERE,
            "AWS_ENDPOINT_URL": DEAD,
            "AWS_ENDPOINT_URL_DYNAMODB": DEAD,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_USE_DUALSTACK_ENDPOINT": "true",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "odd",
            "AWS_REGION": "eu-west-1",
            "AWS_SESSION_TOKEN": "expired",
            "AWS_DATA_PATH": NOWHERE,
            "BOTO_CONFIG": NOWHERE,
            "BOTOCORE_EXPERIMENTAL__PLUGINS": "odd=no_such_module",
        },
    ),
    Row("a broken ~/.aws/config", {"HOME": "tmp/broken"}),
    Row("a profile that ignores configured endpoints", {"HOME": "tmp/ignores"}),
    Row("LC_ALL=C, umask 077", {"LC_ALL": "C"}, umask=0o077),
    Row("POSIX, a terminal of 20 columns", {"LC_ALL": "POSIX", "TERM": "xterm"}, tty_columns=20),
    Row("a German locale, no standard input", {"LC_ALL": "de_DE.ISO-8859-1"}, closed_stdin=True),
    Row(
        "PIP_*",
        {
            "PIP_TARGET": NOWHERE,
            "PIP_USER": "1",
            "PIP_INDEX_URL": DEAD,
            "PIP_REQUIRE_VIRTUALENV": "odd",
            "PIP_CONFIG_FILE": NOWHERE,
        },
    ),
    Row("a home with odd characters", home='it\'s a "home" of $HOME `id` : ü %s [/] \\n'),
    Row("a home below the folder of the command", home="deep/er/" + "long" * 40),
    Row("a HOME that cannot be written to", {"HOME": NOWHERE, "TMPDIR": NOWHERE}),
    Row("a relative HOME that is not there", {"HOME": "not/there", "USER": "nobody"}),
    Row("a repository that cannot be written to", {"SAGA_FILES": NOWHERE}),
    Row("no HOME, no terminal", without=("HOME", "TERM", "LANG", "USER", "TMPDIR")),
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its exit status, what it printed, and whether it left something running."""

    status: int
    printed: str
    left: bool

    @property
    def wrong(self) -> str | None:
        """Return what is wrong with it, or None."""
        flat = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\s", "", self.printed)
        if self.status or self.left or not all(end in flat for end in ENDS):
            return f"exit status {self.status}, left running: {self.left}\n{self.printed}"
        return None


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    synthesize(HOME)  # once: all runs share it
    folders = {row.name: tmp_path_factory.mktemp("machine") for row in ROWS}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ran = {row.name: pool.submit(_run, row, folders[row.name]) for row in ROWS}
        yield {name: one.result() for name, one in ran.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_demo_ends_well_on_every_machine(
    outcomes: dict[str, Outcome], row: Row, tmp_path: Path
) -> None:
    wrong = outcomes[row.name].wrong

    assert wrong is None, f"{wrong}\nby itself: {_by_itself(row, tmp_path)}"


def test_the_app_synthesizes_to_the_same_on_every_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = synthesize(HOME)
    for name, value in {
        "HOME": NOWHERE,
        "TMPDIR": NOWHERE,
        "NODE_OPTIONS": "--no-such-option",
        "PYTHONPATH": str(_shadows(tmp_path)),
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
        "LC_ALL": "C",
        "AWS_PROFILE": "no-such-profile",
        "CDK_OUTDIR": NOWHERE,
        "CDK_CONTEXT_JSON": "{",
    }.items():
        monkeypatch.setenv(name, value)

    odd = synthesize(tmp_path / "files")

    name = f"{PREFIX}-platform.template.json"
    assert (odd / name).read_text() == (usual / name).read_text()


def _by_itself(row: Row, folder: Path) -> dict[str, str]:
    """Return which of a row's variables fail also when they are set alone."""
    found = {}
    for number, (name, value) in enumerate(row.variables.items()):
        alone = folder / str(number)
        alone.mkdir()
        if wrong := _run(Row(row.name, {name: value}), alone).wrong:
            found[name] = wrong.strip().rpartition("\n")[2]
    return found


def _run(row: Row, folder: Path) -> Outcome:
    for name, config in (("broken", BROKEN), ("ignores", IGNORES_ENDPOINTS)):
        (folder / name / ".aws").mkdir(parents=True)
        (folder / name / ".aws" / "config").write_text(config)
    _shadows(folder)
    environ = {name: value for name, value in os.environ.items() if name not in row.without}
    environ |= {name: value.replace("tmp", str(folder), 1) for name, value in row.variables.items()}
    home = folder / row.home
    command = [str(ROOT / "saga"), "--home", str(home), "demo"]
    if row.closed_stdin:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    status, printed = (
        _in_terminal(command, environ, row) if row.tty_columns else _piped(command, environ, row)
    )
    return Outcome(status, printed, environment.down_demo(home))


def _piped(command: list[str], environ: Mapping[str, str], row: Row) -> tuple[int, str]:
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        umask=row.umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    return ran.returncode, ran.stdout.decode(errors="replace")


def _in_terminal(command: list[str], environ: Mapping[str, str], row: Row) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, row.tty_columns or 80, 0, 0))
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, umask=row.umask, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    printed = b""
    with contextlib.suppress(OSError):  # as it ends when nobody has the other side any more
        while part := os.read(ours, 4096):
            printed += part
    os.close(ours)
    return process.wait(SECONDS), printed.decode(errors="replace")


def _shadows(folder: Path) -> Path:
    shadows = folder / "shadows"
    shadows.mkdir()
    for name in SHADOWS:
        (shadows / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    return shadows

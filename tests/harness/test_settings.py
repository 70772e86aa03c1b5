"""A setting that a shell has, but empty, is as one that it does not have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import environment
from harness.emulator import ROOT
from harness.environment import settings
from harness.errors import UserError


def test_files_are_kept_in_the_repository_and_not_where_a_person_is(tmp_path: Path) -> None:
    program = "from harness.environment import HOME; print(HOME)"
    environ = {**os.environ, "SAGA_FILES": "", "PYTHONPATH": f"{ROOT}:{ROOT / 'services'}"}

    shown = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == f"{ROOT / '.saga'}\n"


@pytest.mark.parametrize("argument", [[], ["SAGA_PREFIX="]], ids=["environment", "argument"])
def test_an_empty_prefix_is_none(argument: list[str]) -> None:
    makefile = "include Makefile\nshow:\n\t@./saga settings\n"
    environ = {**os.environ, "SAGA_PREFIX": ""}
    command = ["make", "-f", "-", "show", *argument]

    shown = subprocess.run(
        command, cwd=ROOT, env=environ, input=makefile, capture_output=True, text=True, check=True
    )

    assert shown.stdout.splitlines()[0].split() == ["prefix", "order-saga"]


@pytest.mark.parametrize(
    "text",
    [
        "PORT=4567",
        "PORT = 4567",
        "  PORT=4567  ",
        'PORT="4567"',
        "PORT='4567'",
        "PORT=4567 # the emulator's",
        "export PORT=4567",
        "\ufeffPORT=4567",
        "# PORT=1\n\nPORT=4567\r\nOTHER=2\r\n",
        "PORT=1\nPORT=4567",
        "WHICH=67\nPORT=45${WHICH}",
        "PORT=${NOT_SET_ANYWHERE:-4567}",
        "EMPTY=\nPORT=4567",
        "NAME='several\nlines'\nPORT=4567",
    ],
)
def test_settings_are_read_as_compose_reads_them(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text, encoding="utf-8", newline="")

    assert settings(tmp_path)["PORT"] == "4567"


def test_without_a_file_there_are_no_settings(tmp_path: Path) -> None:
    assert settings(tmp_path) == {}


@pytest.mark.parametrize("content", [b"\xff\xfeP\0O\0", b"PORT=\xe9"])
def test_settings_in_another_encoding_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(UserError, match=r"\.env cannot be read"):
        settings(tmp_path)


@pytest.mark.parametrize(
    "odd", ["foo", "localhost:4566", "http://", "http://x:99999", "http://\x1b"]
)
def test_an_odd_endpoint_is_one_sentence(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.setenv("SAGA_ENDPOINT", odd)

    with pytest.raises(UserError, match="SAGA_ENDPOINT is not right: give a URL such as"):
        environment.find(environment.HOME)


@pytest.mark.parametrize("odd", ["x", "-1", "0", "99999", "45 66", "127.0.0.1:4566"])
def test_an_odd_port_is_one_sentence(monkeypatch: pytest.MonkeyPatch, odd: str) -> None:
    monkeypatch.delenv("SAGA_ENDPOINT", raising=False)
    monkeypatch.setenv("EMULATOR_PORT", odd)

    with pytest.raises(UserError, match="EMULATOR_PORT is not right"):
        environment.find(environment.HOME)


def test_settings_that_are_no_file_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")

    with pytest.raises(UserError, match=r"\.env cannot be read: it is no file\.$"):
        settings(tmp_path)

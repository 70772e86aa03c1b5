"""The emulator as a process that must not be lost."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import emulator


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt, as it does not where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_that_comes_while_the_emulator_is_made_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    made: list[int] = []

    def make(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        os.kill(os.getpid(), signal.SIGINT)
        process = subprocess.Popen(*arguments, **options)
        made.append(process.pid)
        return process

    monkeypatch.setattr(
        emulator, "subprocess", type("Slow", (), {**vars(subprocess), "Popen": make})
    )
    with pytest.raises(KeyboardInterrupt):
        emulator.start(tmp_path, None)
    emulator.stop_children()

    [pid] = made
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

"""What all tests share."""

import signal

import pytest

from harness.emulator import ENDINGS
from tests.world import World


def pytest_configure() -> None:
    """Let programs that tests start be interrupted, also where the tests themselves cannot be.

    In the background, or under nohup, they ignore some signals, and so would what they start.
    """
    for ending in ENDINGS:
        if signal.getsignal(ending) is signal.SIG_IGN:
            signal.signal(ending, lambda *_: None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """AWS in memory."""
    return World(monkeypatch)

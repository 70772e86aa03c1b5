"""What all tests share."""

import pytest

from tests.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """AWS in memory."""
    return World(monkeypatch)

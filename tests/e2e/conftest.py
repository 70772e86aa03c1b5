"""A running environment: the emulator, all stacks, and the real runtime client."""

from collections.abc import Iterator

import pytest

from harness import environment
from harness.environment import Environment
from harness.orders import Orders


@pytest.fixture(scope="session")
def saga(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    home = tmp_path_factory.mktemp("saga")
    started, _ = environment.up(home, None, lambda doing: None)
    yield started
    environment.down(home)


@pytest.fixture(scope="session")
def orders(saga: Environment) -> Iterator[Orders]:
    with Orders(saga.api_url) as orders:
        yield orders

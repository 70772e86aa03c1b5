"""What the flow is read from."""

import pytest

from harness.deploy import synthesize
from harness.environment import HOME
from harness.flow.flow import Flow
from harness.flow.read import Found, find, read


@pytest.fixture(scope="session")
def found() -> Found:
    return find(synthesize(HOME))


@pytest.fixture(scope="session")
def flow(found: Found) -> Flow:
    return read(found)

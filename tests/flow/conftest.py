"""The frozen example that the tools are tested on, and the project's own flow."""

import pytest

from harness.deploy import synthesize
from harness.environment import HOME
from harness.flow.flow import Flow
from harness.flow.read import Found, find, read
from tests.flow import example


@pytest.fixture(scope="session")
def found() -> Found:
    return example.found()


@pytest.fixture(scope="session")
def flow(found: Found) -> Flow:
    return read(found)


@pytest.fixture(scope="session")
def project() -> Found:
    return find(synthesize(HOME))

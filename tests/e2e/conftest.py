"""A running environment: the emulator, all stacks, and the real runtime client.

The same tests run on functions as processes and, where there is a Docker engine, on functions as
containers of their images.
"""

import contextlib
from collections.abc import Callable, Generator, Iterator

import pytest
from botocore.exceptions import ClientError

from harness import environment
from harness.environment import Environment
from harness.logs import LogMissing, lines
from harness.orders import Orders
from harness.saga import SERVICES
from tests.e2e.bus import Bus
from tests.e2e.shop import Shop
from tests.engine import needs_engine

REPORTED = pytest.StashKey[list[object]]()


@pytest.fixture(
    scope="session",
    params=["processes", pytest.param("containers", marks=needs_engine)],
)
def saga(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    if request.param == "containers":
        from tests.e2e.containers import environment_in_containers

        with environment_in_containers() as started:
            yield started
        return
    home = tmp_path_factory.mktemp("saga")
    started, _ = environment.up(home, None, lambda doing: None)
    yield started
    environment.down(home)


@pytest.fixture(scope="session")
def orders(saga: Environment) -> Iterator[Orders]:
    with Orders(saga.api_url) as orders:
        yield orders


@pytest.fixture(scope="session")
def shop(saga: Environment) -> Iterator[Shop]:
    shop = Shop(saga)
    yield shop
    shop.close()


@pytest.fixture(scope="session")
def bus(saga: Environment) -> Bus:
    return Bus(saga.endpoint)


@pytest.fixture(scope="session")
def report_at_the_end(request: pytest.FixtureRequest) -> Callable[[object], None]:
    """Give a line to the summary of the run, where it is seen also when all is well."""
    reported: list[object] = request.config.stash.setdefault(REPORTED, [])
    return reported.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the lines that tests reported."""
    for line in terminalreporter.config.stash.get(REPORTED, []):
        terminalreporter.write_line(str(line))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the functions and the containers logged last."""
    report = yield
    saga = getattr(item, "funcargs", {}).get("saga")
    if report.when == "call" and report.failed and isinstance(saga, Environment):
        # A role that may do too much could have deleted the logs.
        with contextlib.suppress(ClientError, LogMissing):
            logged = [f"{service:<18} {line}" for service, line in lines(saga.endpoint, SERVICES)]
            report.sections.append(("what the functions logged last", "\n".join(logged[-40:])))
        if saga.images:
            from tests.e2e.containers import last_lines

            report.sections.append(("what the containers logged last", last_lines()))
    return report

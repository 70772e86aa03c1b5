"""The page beside a running environment, served by the command as a person runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness import environment
from harness.connect import session
from harness.emulator import ROOT
from harness.environment import Environment
from harness.names import stack_name
from harness.orders import Orders

OVERDUE_SECONDS = 2


class Page:
    """A running `saga ui`, and where it is served."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process, self.url = process, url

    def end(self, ending: signal.Signals) -> tuple[int, str]:
        """Send a signal, and return how the command ended and its standard error."""
        assert self.process.stderr is not None
        self.process.send_signal(ending)
        return self.process.wait(timeout=60), self.process.stderr.read()

    def do(self, what: str, **asked: str) -> httpx.Response:
        """Press a button, as the page does."""
        return httpx.post(
            f"{self.url}/do/{what}", json=asked, headers={"Origin": self.url}, timeout=120
        )


@contextmanager
def serving(home: Path, *options: str) -> Iterator[Page]:
    """Run `saga ui` meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "--home", str(home), "ui", *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        words, _, url = process.stdout.readline().partition(": ")
        assert words == "Watch it"
        yield Page(process, url.strip())
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def fail(saga: Environment, service: str, body: str, attributes: dict[str, str]) -> None:
    """Write a rule's dead letter, which the emulator does not."""
    sqs = session().client("sqs", endpoint_url=saga.endpoint)
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=f"{stack_name(service)}-failures")["QueueUrl"],
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def empty(saga: Environment, service: str) -> None:
    """Leave nothing in a service's failure queue."""
    sqs = session().client("sqs", endpoint_url=saga.endpoint)
    sqs.purge_queue(
        QueueUrl=sqs.get_queue_url(QueueName=f"{stack_name(service)}-failures")["QueueUrl"]
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saga")


@pytest.fixture(scope="session")
def saga(home: Path) -> Iterator[Environment]:
    started, _ = environment.up(home, None, lambda doing: None)
    yield started
    environment.down(home)


@pytest.fixture(scope="session")
def orders(saga: Environment) -> Iterator[Orders]:
    with Orders(saga.api_url) as orders:
        yield orders


@pytest.fixture(scope="module")
def page(home: Path, saga: Environment) -> Iterator[Page]:
    with serving(home, "--overdue", str(OVERDUE_SECONDS)) as page:
        yield page

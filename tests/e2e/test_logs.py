"""What functions logged is read to its end, however much it is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.connect import session
from harness.environment import Environment
from harness.logs import MAX_PAGE, events

GROUP, STREAM = "/saga/much", "today"
BEGUN = round(time.time()) * 1000


@pytest.fixture
def client(saga: Environment) -> Iterator[Any]:
    """Return a client of a log of two pages and five lines, ten of them in each millisecond."""
    logs = session().client("logs", endpoint_url=saga.endpoint)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    lines = [
        {"timestamp": BEGUN + number // 10, "message": f"{number} {'even' * (1 - number % 2)}"}
        for number in range(2 * MAX_PAGE + 5)
    ]
    for at in range(0, len(lines), MAX_PAGE):
        logs.put_log_events(
            logGroupName=GROUP, logStreamName=STREAM, logEvents=lines[at : at + MAX_PAGE]
        )
    yield logs
    logs.delete_log_group(logGroupName=GROUP)


def test_a_log_of_more_than_two_pages_is_read_once_to_its_end(client: Any) -> None:
    numbers = [int(event["message"].split()[0]) for event in events(client, GROUP)]

    assert numbers == list(range(2 * MAX_PAGE + 5))


def test_of_a_log_only_what_is_asked_for_is_read(client: Any) -> None:
    since = datetime.fromtimestamp(BEGUN / 1000 + 1, UTC)

    numbers = [int(e["message"].split()[0]) for e in events(client, GROUP, since, "even")]

    assert numbers == list(range(MAX_PAGE, 2 * MAX_PAGE + 5, 2))

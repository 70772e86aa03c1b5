"""What does not fit into an invocation is not begun."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from explorer.memory import MemoryDynamoDB
from plumbing import conditional_write
from plumbing.attributes import attributes
from plumbing.aws import CALL_ERRORS
from plumbing.budget import (
    OutOfTimeError,
    check_attempt,
    check_retry,
    has_time,
    time_left,
    within_time,
)
from plumbing.conditional_write import Update, write

ASKS = {"x-amz-retry-after": "1"}


class Context:
    """An invocation that has so many seconds left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * self._seconds)


@pytest.mark.parametrize(("seconds", "fits"), [(4, True), (3.9, False), (0, False)])
def test_an_attempt_fits_in_with_a_second_to_spare(seconds: float, fits: bool) -> None:
    @within_time()
    def handle(event: object, context: object) -> bool:
        return has_time()

    assert handle({}, Context(seconds)) == fits


def test_an_attempt_that_does_not_fit_in_is_an_error_of_a_call_that_names_it() -> None:
    @within_time()
    def handle(event: object, context: object) -> None:
        check_attempt(event_name="before-send.dynamodb.PutItem", request=None)

    handle({}, Context(4))
    with pytest.raises(OutOfTimeError, match=r"^PutItem is not tried: .* the 3.9 s of this") as no:
        handle({}, Context(3.9))

    assert isinstance(no.value, CALL_ERRORS)


@pytest.mark.parametrize(
    ("attempt", "headers", "needs"), [(1, {}, 5), (2, {}, 6), (1, ASKS, 10), (2, ASKS, 11)]
)
def test_a_retry_fits_in_with_the_longest_pause_before_it(
    attempt: int, headers: dict[str, str], needs: int
) -> None:
    response: Any = (SimpleNamespace(headers=headers), {})

    @within_time()
    def handle(event: object, context: object) -> bool | None:
        return check_retry(attempts=attempt, response=response, caught_exception=None)

    assert (handle({}, Context(needs)), handle({}, Context(needs - 0.1))) == (None, False)


def test_the_pause_after_an_error_of_the_connection_is_short_and_left_to_the_attempt() -> None:
    @within_time()
    def handle(event: object, context: object) -> bool | None:
        return check_retry(attempts=1, response=None, caught_exception=OSError())

    assert handle({}, Context(1)) is None


def test_conflicts_are_retried_as_long_as_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb: Any = MemoryDynamoDB({"orders": "orderId"})
    monkeypatch.setattr(conditional_write, "FIRST_PAUSE_SECONDS", 0)
    update = Update(
        table="orders",
        key={"orderId": "1"},
        change="SET #status = :status",
        condition="attribute_exists(#status)",
        names={"#status": "status"},
        values={":status": "CREATED"},
    )

    @within_time()
    def handle(event: object, context: object) -> None:
        write(dynamodb, update)

    dynamodb.tables["orders"]["1"] = attributes({"orderId": "1", "status": "NONE"})
    dynamodb.conflicts = 1
    with pytest.raises(ClientError, match="TransactionConflict"):
        handle({}, Context(3))
    dynamodb.conflicts = 1
    handle({}, Context(4))

    assert dynamodb.tables["orders"]["1"]["status"] == {"S": "CREATED"}


def test_time_belongs_to_one_invocation_and_outside_of_one_there_is_no_end() -> None:
    @within_time()
    def handle(event: object, context: object) -> float:
        return time_left()

    assert (handle({}, Context(9)), handle({}, Context(5))) == (8, 4)
    assert time_left() == handle({}, None) == float("inf")


def test_a_handler_may_have_less_time_than_its_invocation() -> None:
    @within_time(seconds=4.5)
    def handle(event: object, context: object) -> float:
        return time_left()

    assert 0 < handle({}, Context(20)) <= 3.5
    assert handle({}, Context(2)) == 1


def test_a_handler_keeps_its_name() -> None:
    @within_time()
    def handle(event: object, context: object) -> None:
        """Do nothing."""

    assert (handle.__name__, handle.__doc__) == ("handle", "Do nothing.")

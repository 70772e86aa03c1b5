"""The clients of AWS: how long they wait, how often they try, and when they do not begin."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ReadTimeoutError

from plumbing import aws
from plumbing.budget import OutOfTimeError, within_time

THROTTLED = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}'
)


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Every request is throttled, without being sent; yield the pauses after them."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    throttle: Any = _throttle
    aws._session.register("before-send", throttle)
    yield found
    aws._session.unregister("before-send", throttle)


def _throttle(request: Any, **_: Any) -> AWSResponse:
    raw: Any = SimpleNamespace(stream=lambda: iter([THROTTLED]))
    headers: Any = {}
    return AWSResponse(request.url, 400, headers, raw)


@pytest.mark.parametrize("make", [aws.dynamodb, aws.eventbridge])
def test_a_client_gives_up_a_call_in_time_and_tries_it_three_times(
    make: Callable[[], Any],
) -> None:
    config = make().meta.config

    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_each_client_is_one_of_its_service() -> None:
    services = [make().meta.service_model.service_name for make in (aws.dynamodb, aws.eventbridge)]

    assert services == ["dynamodb", "events"]


def test_a_throttled_call_is_tried_three_times(pauses: list[float]) -> None:
    with pytest.raises(ClientError, match="ThrottlingException"):
        aws.dynamodb().get_item(TableName="orders", Key={"orderId": {"S": "1"}})

    assert len(pauses) == 2


@pytest.mark.parametrize(("seconds", "retries"), [(20, 2), (5.5, 1), (4.5, 0)])
def test_a_throttled_call_is_tried_again_only_while_that_fits_into_the_invocation(
    pauses: list[float], seconds: float, retries: int
) -> None:
    client = aws.dynamodb()

    @within_time()
    def handle(event: object, context: object) -> None:
        client.get_item(TableName="orders", Key={"orderId": {"S": "1"}})

    with pytest.raises(ClientError, match="ThrottlingException"):
        handle({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 1000 * seconds))

    assert len(pauses) == retries


def test_a_call_that_does_not_fit_into_the_invocation_is_not_begun(pauses: list[float]) -> None:
    client = aws.eventbridge()

    @within_time()
    def handle(event: object, context: object) -> None:
        client.put_events(Entries=[{"Detail": "{}"}])

    with pytest.raises(OutOfTimeError, match="PutEvents is not tried"):
        handle({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 3900))

    assert pauses == []


def test_a_call_that_is_refused_and_one_without_a_response_are_both_errors_of_calls() -> None:
    errors = (ClientError, ReadTimeoutError, OutOfTimeError)

    assert all(issubclass(error, aws.CALL_ERRORS) for error in errors)

"""Every handler is wired to its own settings, and keeps to the time of its invocation."""

import importlib
import json
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest

from plumbing.budget import time_left
from plumbing.envelope import EnvelopeError, decode
from tests.world import CONSUMERS, ORDER_ID, World, request, sample

AT = datetime(2026, 1, 31, 9, 0, 7, 250_000, tzinfo=UTC)
# The status that an event finds its order at, by the service that consumes it.
FOUND_AT = {
    "reserve_inventory": ("OrderCreated", "CREATED"),
    "charge_payment": ("InventoryReserved", "INVENTORY_RESERVED"),
    "notify_shipping": ("PaymentCharged", "PAYMENT_CHARGED"),
    "release_inventory": ("PaymentFailed", "PAYMENT_FAILED"),
}
LOGGED = {
    "create_order": "order accepted",
    "reserve_inventory": "inventory decided",
    "charge_payment": "payment decided",
    "notify_shipping": "shipment booked",
    "release_inventory": "inventory released",
    "resume_orders": "orders resumed",
}


class Context:
    """An invocation that has nine seconds left."""

    def get_remaining_time_in_millis(self) -> int:
        return 9000


def _watch(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str, left: list[float]
) -> None:
    """Write down the time that is left at each call of an operation."""
    call = getattr(world.dynamodb, operation)

    def watched(**asked: Any) -> Any:
        left.append(time_left())
        return call(**asked)

    monkeypatch.setattr(world.dynamodb, operation, watched)


def _event(world: World, service: str) -> Any:
    """Store the order that a service finds, and return the event that it is given."""
    world.stock("COFFEE", 5)
    if service not in FOUND_AT:
        order = {"customerId": "CUST-1", "sku": "COFFEE", "amountCents": 500}
        return request(body=order) if service == "create_order" else {}
    detail_type, status = FOUND_AT[service]
    assert service in CONSUMERS[detail_type]
    changes = {"customerId": "CUST-DECLINE"} if detail_type == "PaymentFailed" else {}
    world.store_order(status, **changes)
    return sample(detail_type, **changes)


@pytest.mark.parametrize("service", LOGGED)
def test_a_handler_makes_its_calls_within_the_time_of_its_invocation(
    world: World, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    left: list[float] = []
    handler, event = world.handler(service), _event(world, service)
    for name in ("get_item", "put_item", "update_item", "transact_write_items", "query"):
        _watch(world, monkeypatch, name, left)

    handler.handle(event, Context())

    assert left
    assert all(0 < seconds <= 8 for seconds in left)
    assert time_left() == inf


def test_a_customer_waits_for_no_more_than_ten_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    _watch(world, monkeypatch, "put_item", left)

    class Long(Context):
        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    world.handler("create_order").handle(_event(world, "create_order"), Long())

    assert 8.5 < left[0] <= 9


@pytest.mark.parametrize("service", sorted({*LOGGED} - {"release_inventory"}))
def test_a_handler_publishes_on_the_bus_of_its_settings(
    world: World, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    handler, event = world.handler(service), _event(world, service)
    if service == "resume_orders":
        world.store_order("CREATED")
        monkeypatch.setattr(handler, "utc_now", lambda: AT + timedelta(hours=1))

    handler.handle(event, None)

    assert {entry["EventBusName"] for entry in world.events.published} == {"bus"}


@pytest.mark.parametrize("service", LOGGED)
def test_a_handler_logs_what_it_did_under_its_names(
    world: World, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, event = world.handler(service), _event(world, service)

    handler.handle(event, None)

    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    [metrics] = line["_aws"]["CloudWatchMetrics"]
    assert (line["level"], line["message"]) == ("INFO", LOGGED[service])
    assert metrics["Namespace"] == "OrderSaga"
    if service != "resume_orders":
        assert line["function"] == f"order-saga-{service.replace('_', '-')}"
    if service in FOUND_AT:
        assert line["orderId"] == ORDER_ID


@pytest.mark.parametrize("service", FOUND_AT)
def test_a_step_is_stored_with_the_time_of_its_clock(
    world: World, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    handler, event = world.handler(service), _event(world, service)
    monkeypatch.setattr(handler.orders, "_clock", lambda: AT)

    handler.handle(event, None)

    assert world.order()["history"][-1]["at"] == "2026-01-31T09:00:07.250Z"


@pytest.mark.parametrize("service", FOUND_AT)
@pytest.mark.parametrize(
    ("field", "value", "is_read"),
    [
        ("quantity", 0, False),
        ("quantity", 1, True),
        ("amountCents", -1, False),
        ("amountCents", 0, True),
    ],
)
def test_an_event_of_no_units_or_of_less_than_no_money_is_not_read(
    service: str, field: str, value: int, is_read: bool
) -> None:
    events = importlib.import_module(f"{service}.events")
    envelope = sample(FOUND_AT[service][0], **{field: value})

    def read() -> Any:
        return decode(envelope, events.PARTICIPANT.consumes)

    if is_read:
        assert read().carried[field] == value
    else:
        with pytest.raises(EnvelopeError, match=field):
            read()


@pytest.mark.parametrize("service", FOUND_AT)
def test_a_step_is_logged_as_applied_once_and_then_as_a_duplicate(
    world: World, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, event = world.handler(service), _event(world, service)

    handler.handle(event, None)
    handler.handle(event, None)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["outcome"] for line in lines] == ["applied", "duplicate"]
    assert lines[0]["status"] == lines[1]["status"] == world.order()["status"]

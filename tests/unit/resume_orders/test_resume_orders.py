"""resume_orders: stalled orders are published again, ever more rarely, then given up loudly."""

import json
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from plumbing.publish import PublishError
from tests.world import ORDER_ID, STORED_AT, World, published

OPEN = [
    ("CREATED", "OrderCreated"),
    ("INVENTORY_RESERVED", "InventoryReserved"),
    ("PAYMENT_CHARGED", "PaymentCharged"),
    ("PAYMENT_FAILED", "PaymentFailed"),
]
LATE = STORED_AT + timedelta(minutes=5)


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("resume_orders")


@pytest.mark.parametrize(("status", "event"), OPEN)
def test_a_stalled_order_is_published_again_byte_for_byte(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, status: str, event: str
) -> None:
    world.store_order(status)

    report = _run(service, monkeypatch, LATE)

    assert world.published == [published(event)]
    assert world.events.published[0]["Detail"] == world.order()["outbox"]["detail"]
    assert report == {
        "overdueOrders": 1,
        "oldestOverdueSeconds": 300,
        "resumedOrders": 1,
        "givenUpOrders": 0,
        "leftOrders": 0,
        "gaveUp": [],
    }


@pytest.mark.parametrize("status", ["SHIPPING_SCHEDULED", "INVENTORY_FAILED"])
def test_an_order_that_has_ended_is_let_be(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    world.store_order(status)

    report = _run(service, monkeypatch, LATE)

    assert (world.published, report["overdueOrders"]) == ([], 0)


def test_an_order_that_is_young_is_let_be(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")

    _run(service, monkeypatch, STORED_AT + timedelta(minutes=3, seconds=59))

    assert world.published == []


def test_an_old_order_that_has_just_moved_is_let_be(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    moved = {"status": {"S": "CREATED"}, "at": {"S": "2026-01-31T09:04:30.000Z"}}
    world.dynamodb.tables["orders"][ORDER_ID]["history"]["L"].append({"M": moved})

    report = _run(service, monkeypatch, LATE)

    assert (world.published, report["overdueOrders"]) == ([], 1)


def test_it_is_published_ever_more_rarely_and_then_given_up(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    minutes: list[int] = []
    gave_up: list[str] = []

    for minute in range(40 * 60):
        already = len(world.published)
        report = _run(service, monkeypatch, STORED_AT + timedelta(minutes=minute))
        gave_up += report["gaveUp"]
        if len(world.published) > already:
            minutes.append(minute)

    assert minutes == [4, 8, 16, 32, 64, 128, 256, 512]
    assert (report["givenUpOrders"], report["overdueOrders"]) == (1, 0)
    assert gave_up == [ORDER_ID]


def test_a_person_can_resume_all_and_a_given_up_order_counts_from_zero(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID] |= {
        "openShard": {"S": "given-up"},
        "nextAttemptAt": {"S": "2026-01-31T18:00:00.000Z"},
        "resumes": {"N": "8"},
    }

    report = _run(service, monkeypatch, STORED_AT, allOpen=True)
    again = _run(service, monkeypatch, STORED_AT + timedelta(minutes=4))

    assert world.published == [published("OrderCreated")] * 2
    assert (report["resumedOrders"], report["givenUpOrders"]) == (1, 0)
    assert again["resumedOrders"] == 1
    assert world.order()["resumes"] == 1


def test_two_runs_at_once_publish_an_order_once(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    orders = service.orders
    found = orders.find(ORDER_ID)
    _run(service, monkeypatch, LATE)

    still = orders.defer(found, LATE, 1)

    assert (still, world.published) == (False, [published("OrderCreated")])


def test_an_order_that_moves_on_meanwhile_is_not_published_again(
    world: World, service: ModuleType
) -> None:
    world.store_order("CREATED")
    found = service.orders.find(ORDER_ID)
    world.store_order("INVENTORY_RESERVED")

    assert not service.orders.defer(found, LATE, 1)
    assert not service.orders.give_up(found)
    assert "nextAttemptAt" not in world.order()


def test_what_the_bus_does_not_take_is_due_again(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.events.refusals = 1

    with pytest.raises(PublishError):
        _run(service, monkeypatch, LATE)
    _run(service, monkeypatch, LATE + timedelta(minutes=4))

    assert world.published == [published("OrderCreated")]


def test_a_run_is_bounded_and_takes_the_oldest_first(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(600)]
    for order_id in ids:
        world.store_order("CREATED", orderId=order_id)
    oldest = world.dynamodb.tables["orders"][ids[-1]]
    oldest["createdAt"] = {"S": "2026-01-31T08:00:00.000Z"}

    report = _run(service, monkeypatch, LATE)

    assert (report["resumedOrders"], report["leftOrders"]) == (500, 100)
    assert report["oldestOverdueSeconds"] == 65 * 60
    assert world.published[0]["detail"]["orderId"] == ids[-1]


def test_finding_what_is_due_reads_nothing_of_orders_that_ended(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("SHIPPING_SCHEDULED")

    _run(service, monkeypatch, LATE)

    # Sixteen partitions of open orders, and the one of those given up.
    assert world.dynamodb.calls == ["Query"] * 17


def test_a_run_leaves_its_numbers_in_the_log_as_metrics(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.store_order("CREATED")

    report = _run(service, monkeypatch, LATE)

    line = json.loads(capsys.readouterr().out)
    [metrics] = line.pop("_aws")["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["bus"]]
    assert {metric["Name"] for metric in metrics["Metrics"]} == set(report) - {"gaveUp"}
    assert line.pop("coldStart") in (True, False)
    assert line == {"level": "INFO", "message": "orders resumed", "bus": "bus", **report}


def _run(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, now: datetime, **call: bool
) -> dict[str, Any]:
    monkeypatch.setattr(service, "utc_now", lambda: now)
    report: dict[str, Any] = service.handle(call, None)
    return report

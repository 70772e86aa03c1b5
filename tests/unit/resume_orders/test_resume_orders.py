"""resume_orders: stalled orders are published again, ever more rarely, then given up loudly."""

import json
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from plumbing.step import format_timestamp
from tests.world import ORDER_ID, STORED_AT, World, published

OPEN = [
    ("CREATED", "OrderCreated"),
    ("INVENTORY_RESERVED", "InventoryReserved"),
    ("PAYMENT_CHARGED", "PaymentCharged"),
    ("PAYMENT_FAILED", "PaymentFailed"),
]
OTHER = "00000000-0000-4000-8000-000000000000"
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
        "failedOrders": 0,
        "failures": [],
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

    report = _run(service, monkeypatch, LATE)
    _run(service, monkeypatch, LATE + timedelta(minutes=4))

    assert world.published == [published("OrderCreated")]
    assert report["failedOrders"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        {"outbox": {"S": "torn"}},
        {"outbox": {"M": {"source": {"S": "orders"}}}},
        {"history": {"L": []}},
        {"history": {"L": [{"M": {"at": {"S": "yesterday"}}}]}},
        {"status": {"M": {}}},
        {"resumes": {"S": "many"}},
        {"nextAttemptAt": {"S": "soon"}},
    ],
    ids=str,
)
def test_one_order_that_cannot_be_read_is_given_up_and_keeps_no_other_from_being_resumed(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, damage: dict[str, Any]
) -> None:
    world.store_order("CREATED", orderId=OTHER)
    world.dynamodb.tables["orders"][OTHER] |= damage
    world.store_order("CREATED")

    report = _run(service, monkeypatch, LATE)
    again = _run(service, monkeypatch, LATE + timedelta(minutes=1))

    assert world.published == [published("OrderCreated")]
    assert (report["gaveUp"], report["failedOrders"]) == ([OTHER], 1)
    assert report["failures"][0].startswith(f"{OTHER}: ")
    assert (again["gaveUp"], again["resumedOrders"], again["givenUpOrders"]) == ([], 0, 1)


@pytest.mark.parametrize("created_at", ["2026-01-31", "yesterday", "9999-99-99T99:99:99.999Z"])
def test_an_order_whose_time_cannot_be_read_is_resumed_like_any_other(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, created_at: str
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID]["createdAt"] = {"S": created_at}

    report = _run(service, monkeypatch, LATE)

    assert world.published == [published("OrderCreated")]
    assert (report["resumedOrders"], report["oldestOverdueSeconds"]) == (1, 0)


def test_one_order_that_the_bus_refuses_keeps_no_other_from_being_resumed(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED", orderId=OTHER, createdAt="2026-01-31T08:00:00.000Z")
    world.store_order("CREATED")
    world.events.refusals = 1

    report = _run(service, monkeypatch, LATE)

    assert world.published == [published("OrderCreated")]
    assert (report["resumedOrders"], report["failedOrders"]) == (1, 1)


def test_an_index_that_lags_behind_counts_no_resume_that_is_not_due(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    lagging = list(service.orders.open(LATE, timedelta(minutes=4)))
    monkeypatch.setattr(service.orders, "open", lambda *_: lagging)

    for minute in range(8):
        _run(service, monkeypatch, LATE + timedelta(minutes=minute))

    assert len(world.published) == 2
    assert world.order()["resumes"] == 2


@pytest.mark.parametrize("hours", [1, 24, 24 * 365 * 50])
def test_an_order_whose_clock_was_ahead_is_found(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    ahead = format_timestamp(STORED_AT + timedelta(hours=hours))
    world.store_order("CREATED", createdAt=ahead)
    world.dynamodb.tables["orders"][ORDER_ID]["history"]["L"][0]["M"]["at"] = {"S": ahead}

    report = _run(service, monkeypatch, LATE)
    by_hand = _run(service, monkeypatch, LATE, allOpen=True)

    assert (report["resumedOrders"], by_hand["resumedOrders"]) == (1, 1)


def test_an_order_deferred_by_a_clock_that_was_ahead_is_found(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    ahead = format_timestamp(STORED_AT + timedelta(days=365))
    world.dynamodb.tables["orders"][ORDER_ID]["nextAttemptAt"] = {"S": ahead}

    report = _run(service, monkeypatch, LATE)

    assert report["resumedOrders"] == 1


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

    # Twice each of sixteen partitions of open orders, and the one of those given up.
    assert world.dynamodb.calls == ["Query"] * 33


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
    assert {metric["Name"] for metric in metrics["Metrics"]} == set(report) - {"gaveUp", "failures"}
    assert line.pop("coldStart") in (True, False)
    assert line == {"level": "INFO", "message": "orders resumed", "bus": "bus", **report}


def _run(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, now: datetime, **call: bool
) -> dict[str, Any]:
    monkeypatch.setattr(service, "utc_now", lambda: now)
    report: dict[str, Any] = service.handle(call, None)
    return report

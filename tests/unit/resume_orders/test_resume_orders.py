"""resume_orders: stalled orders are published again, ever more rarely, then given up loudly."""

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from plumbing.step import format_timestamp
from resume_orders import resume_orders
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

    assert (world.published, report["oldestOverdueSeconds"]) == ([], 0)


def test_an_order_that_is_young_is_let_be(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")

    report = _run(service, monkeypatch, STORED_AT + timedelta(minutes=3, seconds=59))

    assert (world.published, report["oldestOverdueSeconds"]) == ([], 0)
    assert "nextAttemptAt" not in world.order()


def test_an_old_order_that_has_just_moved_is_looked_at_again_when_it_stalls(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    moved = {"status": {"S": "CREATED"}, "at": {"S": "2026-01-31T09:04:30.000Z"}}
    world.dynamodb.tables["orders"][ORDER_ID]["history"]["L"].append({"M": moved})

    report = _run(service, monkeypatch, LATE)

    assert (world.published, report["oldestOverdueSeconds"]) == ([], 300)
    order = world.order()
    assert (order["nextAttemptAt"], order["resumes"]) == ("2026-01-31T09:08:30.000Z", 0)
    assert order["openShard"] == f"deferred-{ORDER_ID[0]}"


def test_it_is_published_ever_more_rarely_and_then_given_up(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    due = [4 * 2**resumes for resumes in range(9)]
    minutes: list[int] = []
    gave_up: list[str] = []

    for minute in [minute for last in due for minute in (last - 1, last)]:
        already = len(world.published)
        report = _run(service, monkeypatch, STORED_AT + timedelta(minutes=minute))
        gave_up += report["gaveUp"]
        if len(world.published) > already:
            minutes.append(minute)

    assert minutes == due[:8]
    assert (report["givenUpOrders"], report["oldestOverdueSeconds"]) == (1, 0)
    assert gave_up == [ORDER_ID]


def test_a_person_can_resume_all_and_a_given_up_order_counts_from_zero(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID] |= {
        "openShard": {"S": "given-up"},
        "nextAttemptAt": {"S": "2026-02-01T02:00:00.000Z"},
        "resumes": {"N": "8"},
    }
    next_day = STORED_AT + timedelta(days=1)

    report = _run(service, monkeypatch, next_day, allOpen=True)
    again = _run(service, monkeypatch, next_day + timedelta(minutes=4))

    assert world.published == [published("OrderCreated")] * 2
    assert (report["resumedOrders"], report["next"]) == (1, None)
    assert (again["resumedOrders"], again["givenUpOrders"]) == (1, 0)
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
    assert re.match(f"{OTHER}: (Expected|Object missing|Invalid)", report["failures"][0])
    assert (again["gaveUp"], again["resumedOrders"], again["givenUpOrders"]) == ([], 0, 1)


@pytest.mark.parametrize("created_at", ["2026-01-31", "yesterday", "9999-99-99T99:99:99.999Z"])
def test_an_order_whose_time_cannot_be_read_is_resumed_like_any_other(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, created_at: str
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID]["createdAt"] = {"S": created_at}

    report = _run(service, monkeypatch, LATE)
    by_hand = _run(service, monkeypatch, LATE + timedelta(minutes=1), allOpen=True)

    assert world.published == [published("OrderCreated")] * 2
    assert (report["resumedOrders"], report["oldestOverdueSeconds"]) == (1, 0)
    assert (by_hand["resumedOrders"], by_hand["failures"]) == (1, [])


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
    monkeypatch.setattr(world.dynamodb, "query", copy.deepcopy(world.dynamodb).query)

    resumed = [
        _run(service, monkeypatch, LATE + timedelta(minutes=minute))["resumedOrders"]
        for minute in range(8)
    ]

    assert resumed == [1, 0, 0, 0, 1, 0, 0, 0]
    assert len(world.published) == world.dynamodb.calls.count("UpdateItem") == 2
    assert world.order()["resumes"] == 2


def test_an_order_that_was_resumed_by_hand_after_it_moved_keeps_its_time(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    _move(world, ORDER_ID, LATE - timedelta(seconds=30))

    _run(service, monkeypatch, LATE, allOpen=True)
    _run(service, monkeypatch, LATE + timedelta(minutes=1))

    assert world.order()["nextAttemptAt"] == format_timestamp(LATE + timedelta(minutes=4))
    assert world.order()["openShard"] == f"deferred-{ORDER_ID[0]}"


def test_an_order_that_has_just_moved_is_not_given_up_however_often_it_was_resumed(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    _defer(world, ORDER_ID, LATE)
    world.dynamodb.tables["orders"][ORDER_ID]["resumes"] = {"N": "8"}
    _move(world, ORDER_ID, LATE - timedelta(seconds=30))

    report = _run(service, monkeypatch, LATE)

    assert report["gaveUp"] == []
    assert world.order()["openShard"] == f"deferred-{ORDER_ID[0]}"


@pytest.mark.parametrize("hours", [1, 24, 24 * 365 * 50])
def test_an_order_whose_clock_was_ahead_is_found(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    ahead = format_timestamp(STORED_AT + timedelta(hours=hours))
    world.store_order("CREATED", createdAt=ahead)
    world.dynamodb.tables["orders"][ORDER_ID]["history"]["L"][0]["M"]["at"] = {"S": ahead}

    report = _run(service, monkeypatch, LATE)
    by_hand = _run(service, monkeypatch, LATE + timedelta(minutes=1), allOpen=True)

    assert (report["resumedOrders"], by_hand["resumedOrders"]) == (1, 1)


def test_an_order_deferred_by_a_clock_that_was_ahead_is_found(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    ahead = format_timestamp(STORED_AT + timedelta(days=365))
    world.dynamodb.tables["orders"][ORDER_ID]["nextAttemptAt"] = {"S": ahead}

    report = _run(service, monkeypatch, LATE)

    assert report["resumedOrders"] == 1


@pytest.mark.parametrize(("beyond", "resumed"), [(0, 0), (1, 1)])
def test_the_longest_pause_of_a_run_is_waited_for_and_no_longer_one(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, beyond: int, resumed: int
) -> None:
    world.store_order("CREATED")
    longest = timedelta(minutes=4) * 2**8
    _defer(world, ORDER_ID, LATE + longest + timedelta(milliseconds=beyond))

    report = _run(service, monkeypatch, LATE)

    assert report["resumedOrders"] == resumed


def test_an_order_of_a_clock_that_was_ahead_comes_before_all_others(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED", createdAt="2026-01-01T00:00:00.000Z")
    world.store_order("CREATED", orderId=OTHER, createdAt="2027-01-01T00:00:00.000Z")

    _run(service, monkeypatch, LATE)

    resumed = [event["detail"]["orderId"] for event in world.published]
    assert resumed == [OTHER, ORDER_ID]


def test_a_run_is_bounded_and_takes_the_oldest_first(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1_100)]
    for order_id in ids:
        world.store_order("CREATED", orderId=order_id)
    oldest = world.dynamodb.tables["orders"][ids[-1]]
    oldest["createdAt"] = {"S": "2026-01-31T08:00:00.000Z"}

    report = _run(service, monkeypatch, LATE)

    assert (report["resumedOrders"], report["leftOrders"]) == (500, 500)
    assert report["oldestOverdueSeconds"] == 65 * 60
    assert world.published[0]["detail"]["orderId"] == ids[-1]


def test_finding_what_is_due_reads_nothing_of_orders_that_ended(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("SHIPPING_SCHEDULED")

    _run(service, monkeypatch, LATE)

    # Of each of sixteen shards what is due and what is ahead, fresh and deferred, and the oldest of
    # both; and what is given up.
    assert world.dynamodb.calls == ["Query"] * (16 * 6 + 1)


@pytest.mark.parametrize("orders", [200, 1_000])
def test_a_run_reads_no_more_however_many_orders_are_open(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, orders: int
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 20)
    monkeypatch.setattr(resume_orders, "MAX_COUNTED", 20)
    for number in range(orders):
        world.store_order("CREATED", orderId=_id(number))

    report = _run(service, monkeypatch, LATE)

    assert (report["resumedOrders"], report["leftOrders"]) == (20, 20)
    assert Counter(world.dynamodb.calls) == {"Query": 97, "GetItem": 20, "UpdateItem": 20}


def test_what_is_due_for_longest_comes_first_whether_fresh_or_deferred_and_in_any_shard(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 5)
    due_for: dict[str, int] = {}
    for number in range(64):
        order_id, minutes = _id(number), (37 * number) % 64
        due_for[order_id] = minutes
        since = LATE - timedelta(minutes=minutes)
        if number % 2:
            world.store_order("CREATED", orderId=order_id, createdAt="2026-01-01T00:00:00.000Z")
            _defer(world, order_id, since)
        else:
            created_at = format_timestamp(since - timedelta(minutes=4))
            world.store_order("CREATED", orderId=order_id, createdAt=created_at)

    runs = [_run(service, monkeypatch, LATE)["resumedOrders"] for _ in range(13)]

    resumed = [event["detail"]["orderId"] for event in world.published]
    assert runs == [5] * 12 + [4]
    assert [due_for[order_id] for order_id in resumed] == list(range(63, -1, -1))


def test_every_run_goes_on_where_the_last_one_ended(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 10)
    for number in range(40):
        world.store_order("CREATED", orderId=_id(number))
    for number in range(0, 40, 4):  # cannot be published, found to have moved, or be read
        _move(world, _id(number), LATE)
        world.dynamodb.tables["orders"][_id(number + 1)]["resumes"] = {"N": "8"}
        world.dynamodb.tables["orders"][_id(number + 2)]["outbox"] = {"S": "torn"}

    reports = [_run(service, monkeypatch, LATE) for _ in range(5)]

    assert [report["leftOrders"] for report in reports] == [30, 20, 10, 0, 0]
    assert sum(report["resumedOrders"] for report in reports) == 10
    assert sum(len(report["gaveUp"]) for report in reports) == 20
    assert reports[-1]["failedOrders"] == 0


@pytest.mark.parametrize("minutes", [1, 60])
def test_an_order_that_the_release_before_deferred_keeps_its_time(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    world.store_order("CREATED")
    _defer(world, ORDER_ID, LATE + timedelta(minutes=minutes))
    world.dynamodb.tables["orders"][ORDER_ID] |= {
        "openShard": {"S": ORDER_ID[0]},
        "resumes": {"N": "3"},
    }

    _run(service, monkeypatch, LATE)
    before = (world.order(), list(world.published))
    _run(service, monkeypatch, LATE + timedelta(minutes=minutes))

    order, published_before = before
    assert (order["openShard"], order["resumes"]) == (f"deferred-{ORDER_ID[0]}", 3)
    assert order["nextAttemptAt"] == format_timestamp(LATE + timedelta(minutes=minutes))
    assert (published_before, len(world.published)) == ([], 1)
    assert world.order()["resumes"] == 4


def test_a_run_ends_by_itself_when_its_time_is_over_and_the_next_goes_on(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        world.store_order("CREATED", orderId=_id(number))
    monkeypatch.setattr(service, "utc_now", lambda: LATE)

    first = service.handle({}, Slow(world, 0.25))
    second = service.handle({}, Slow(world, 0.25))

    assert 50 < first["resumedOrders"] < 100
    assert first["leftOrders"] == 100 - first["resumedOrders"]
    assert first["resumedOrders"] + second["resumedOrders"] == len(world.published) == 100
    assert (first["failedOrders"], first["gaveUp"]) == (0, [])


def test_a_run_that_has_not_the_time_to_read_all_shards_looks_at_those_that_it_read(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(16):
        world.store_order("CREATED", orderId=_id(number))
    monkeypatch.setattr(service, "utc_now", lambda: LATE)

    report = service.handle({}, Slow(world, 2))

    assert report["resumedOrders"] > 0
    assert report["failures"] == ["index: there was no time to read all of it"]


# An attempt takes 3 s at most, and a second is kept for what is beside calls.
@pytest.mark.parametrize(("seconds", "resumed"), [(3 * 3 + 1, 1), (3 * 3 + 0.9, 0)])
@pytest.mark.parametrize("call", [{}, {"allOpen": True}], ids=["a run", "a walk"])
def test_an_order_is_looked_at_if_three_attempts_of_calls_fit_in(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    call: dict[str, Any],
    seconds: float,
    resumed: int,
) -> None:
    world.store_order("CREATED")
    monkeypatch.setattr(service, "utc_now", lambda: LATE)
    monkeypatch.setattr(resume_orders, "TRIES_OF_THE_REST", 0)

    report = service.handle(call, Slow(world, 0, of=seconds))

    assert report["resumedOrders"] == len(world.published) == resumed


@pytest.mark.parametrize(
    ("seconds", "failures"),
    [(10 * 3 + 1, []), (10 * 3 + 0.9, ["index: there was no time to read all of it"])],
)
def test_a_partition_is_read_if_ten_attempts_of_calls_fit_in(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    failures: list[str],
) -> None:
    world.store_order("CREATED")
    monkeypatch.setattr(service, "utc_now", lambda: LATE)

    report = service.handle({}, Slow(world, 0, of=seconds))

    assert (report["failures"], report["resumedOrders"]) == (failures, 0 if failures else 1)


def test_what_is_left_is_counted_as_far_as_there_is_time(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 1)
    for number in range(300):
        world.store_order("CREATED", orderId=_id(16 * number))
    monkeypatch.setattr(service, "utc_now", lambda: LATE)

    # The first page of each of 64 ranges, two calls for an order, and then three more pages of 50.
    report = service.handle({}, Slow(world, 8, of=(64 + 2 + 3) * 8))

    assert (report["resumedOrders"], report["leftOrders"]) == (1, 150)


def test_what_could_not_be_measured_is_missing_and_no_zero(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    query = world.dynamodb.query

    def lose_measures(**asked: Any) -> Any:
        if asked["Limit"] != 50:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return query(**asked)

    monkeypatch.setattr(world.dynamodb, "query", lose_measures)

    report = _run(service, monkeypatch, LATE)

    assert (report["resumedOrders"], report["failedOrders"]) == (1, 2)
    assert all(one.startswith("index: Read timeout") for one in report["failures"])
    assert not {"oldestOverdueSeconds", "givenUpOrders"} & set(report)


def test_a_partition_that_cannot_be_read_keeps_no_other_from_being_resumed(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.store_order("CREATED", orderId=OTHER)
    query = world.dynamodb.query

    def refuse_one(**asked: Any) -> Any:
        if asked["ExpressionAttributeValues"][":partition"] == {"S": OTHER[0]}:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return query(**asked)

    monkeypatch.setattr(world.dynamodb, "query", refuse_one)

    report = _run(service, monkeypatch, LATE)

    assert [event["detail"]["orderId"] for event in world.published] == [ORDER_ID]
    assert report["failures"][0].startswith("index: Read timeout")


def test_a_walk_resumes_each_open_order_once_and_ends(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 7)
    ids = [_id(number) for number in range(60)]
    for number, order_id in enumerate(ids):
        world.store_order("CREATED", orderId=order_id)
        if number % 3:
            _defer(world, order_id, LATE + timedelta(minutes=number), given_up=number % 3 == 2)

    reports = list(_walk(service, monkeypatch, LATE))

    assert sorted(event["detail"]["orderId"] for event in world.published) == sorted(ids)
    assert [report["resumedOrders"] for report in reports] == [7] * 8 + [4]
    # As the release before defers an order, which its sweep can read.
    assert {world.order(one)["openShard"] for one in ids} == {one[0] for one in ids}
    assert {world.order(one)["resumes"] for one in ids} == {0}


def test_a_walk_meets_no_order_twice_although_the_sweep_moves_them_meanwhile(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume_orders, "MAX_PER_RUN", 7)
    ids = [_id(number) for number in range(60)]
    for order_id in ids:
        world.store_order("CREATED", orderId=order_id)
        _defer(world, order_id, LATE + timedelta(hours=1))
    for order_id in ids[:30]:
        world.dynamodb.tables["orders"][order_id]["openShard"] = {"S": order_id[0]}

    for number, _ in enumerate(_walk(service, monkeypatch, LATE)):
        if number:  # what was met by then is no more where it was, and not yet where it will be met
            _run(service, monkeypatch, LATE + timedelta(seconds=number))

    assert sorted(event["detail"]["orderId"] for event in world.published) == sorted(ids)


# A clock that is more than four minutes ahead is none that tells when an order was created.
@pytest.mark.parametrize(("milliseconds", "resumed"), [(1, 0), (240_000, 0), (240_001, 1)])
def test_a_walk_lets_be_what_was_created_after_it_began(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    milliseconds: int,
    resumed: int,
) -> None:
    new = format_timestamp(LATE + timedelta(milliseconds=milliseconds))
    world.store_order("CREATED", createdAt=new)

    report = _run(service, monkeypatch, LATE, allOpen=True)

    assert report["resumedOrders"] == len(world.published) == resumed


def test_a_walk_takes_what_was_created_the_moment_it_began(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED", createdAt=format_timestamp(LATE))

    report = _run(
        service, monkeypatch, LATE + timedelta(seconds=1), allOpen=True, startedAt=str(LATE)
    )

    assert report["resumedOrders"] == 1


@pytest.mark.parametrize(
    ("resumes", "minutes"), [(0, 4), (1, 4), (2, 8), (3, 16), (8, 512), (9, 512)]
)
@pytest.mark.parametrize(
    ("milliseconds", "resumed"), [(-1, 1), (0, 0), (60_000, 0), (60_001, 1)], ids=str
)
def test_a_walk_lets_be_what_a_run_has_published_since_it_began(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    resumes: int,
    minutes: int,
    milliseconds: int,
    resumed: int,
) -> None:
    world.store_order("CREATED")
    run_at = LATE + timedelta(milliseconds=milliseconds)
    _defer(world, ORDER_ID, run_at + timedelta(minutes=minutes))
    world.dynamodb.tables["orders"][ORDER_ID]["resumes"] = {"N": str(resumes)}

    now = LATE + timedelta(minutes=1)
    report = _run(service, monkeypatch, now, allOpen=True, startedAt=str(LATE))

    assert report["resumedOrders"] == len(world.published) == resumed


def test_a_walk_stops_when_its_time_is_over_and_says_where(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [_id(number) for number in range(60)]
    for order_id in ids:
        world.store_order("CREATED", orderId=order_id)
    monkeypatch.setattr(service, "utc_now", lambda: LATE)

    first = service.handle({"allOpen": True}, Slow(world, 0.5))
    rest = _run(service, monkeypatch, LATE, allOpen=True, after=first["next"])

    assert 0 < first["resumedOrders"] < 60
    assert (first["resumedOrders"] + rest["resumedOrders"], rest["next"]) == (60, None)
    assert len(world.published) == 60


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


@pytest.mark.parametrize("call", [{}, {"allOpen": True}], ids=["a run", "a walk"])
def test_an_order_that_moves_before_it_is_deferred_is_not_published(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, call: dict[str, Any]
) -> None:
    world.store_order("CREATED")
    update = world.dynamodb.update_item

    def move_first(**asked: Any) -> Any:
        world.dynamodb.tables["orders"][ORDER_ID]["status"] = {"S": "INVENTORY_RESERVED"}
        return update(**asked)

    monkeypatch.setattr(world.dynamodb, "update_item", move_first)

    report = _run(service, monkeypatch, LATE, **call)

    assert (world.published, report["resumedOrders"], report["failedOrders"]) == ([], 0, 0)
    assert "nextAttemptAt" not in world.order()


def test_an_unreadable_order_that_ends_before_it_is_given_up_stays_ended(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID]["outbox"] = {"S": "torn"}
    update = world.dynamodb.update_item

    def end_first(**asked: Any) -> Any:
        del world.dynamodb.tables["orders"][ORDER_ID]["openShard"]
        return update(**asked)

    monkeypatch.setattr(world.dynamodb, "update_item", end_first)

    report = _run(service, monkeypatch, LATE)

    assert report["gaveUp"] == []
    assert "openShard" not in world.order()


@pytest.mark.parametrize("call", [{}, {"allOpen": True}], ids=["a run", "a walk"])
@pytest.mark.parametrize("since", ["ended", "gone"])
def test_an_order_that_ended_and_is_still_in_the_index_is_let_be(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    call: dict[str, Any],
    since: str,
) -> None:
    world.store_order("CREATED")
    monkeypatch.setattr(world.dynamodb, "query", copy.deepcopy(world.dynamodb).query)
    if since == "gone":
        del world.dynamodb.tables["orders"][ORDER_ID]
    else:
        del world.dynamodb.tables["orders"][ORDER_ID]["openShard"]

    report = _run(service, monkeypatch, LATE, **call)

    assert (world.published, report["resumedOrders"]) == ([], 0)
    assert report["failures"] == []


def test_an_order_that_was_given_up_and_is_still_in_the_index_is_let_be(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    monkeypatch.setattr(world.dynamodb, "query", copy.deepcopy(world.dynamodb).query)
    world.dynamodb.tables["orders"][ORDER_ID]["openShard"] = {"S": "given-up"}

    report = _run(service, monkeypatch, LATE)

    assert (world.published, report["resumedOrders"], report["gaveUp"]) == ([], 0, [])
    assert world.order()["openShard"] == "given-up"


def test_a_walk_says_which_orders_it_cannot_read_and_which_the_bus_refuses(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store_order("CREATED")
    world.store_order("CREATED", orderId=OTHER)
    world.dynamodb.tables["orders"][ORDER_ID]["outbox"] = {"S": "torn"}
    world.events.refusals = 1

    report = _run(service, monkeypatch, LATE, allOpen=True)

    assert (report["resumedOrders"], report["failedOrders"]) == (0, 2)
    assert {one.partition(": ")[0] for one in report["failures"]} == {ORDER_ID, OTHER}
    assert any("outbox" in one for one in report["failures"])


def test_a_walk_that_cannot_read_the_index_says_so_and_where_to_go_on(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times_out(**_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    monkeypatch.setattr(world.dynamodb, "query", times_out)

    report = _run(service, monkeypatch, LATE, allOpen=True)

    assert (report["failedOrders"], report["next"]) == (1, "")
    assert report["failures"][0].startswith("index: Read timeout")


@pytest.mark.parametrize("failing", ["GetItem", "UpdateItem"])
def test_an_order_that_cannot_be_read_or_written_keeps_no_other_from_being_resumed(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    world.store_order("CREATED")
    world.store_order("CREATED", orderId=OTHER)
    call, failed = world.dynamodb.call, list[str]()

    def call_but_once(operation: str, parameters: Any) -> Any:
        if operation == failing and not failed:
            failed.append(parameters["Key"]["orderId"]["S"])
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return call(operation, parameters)

    monkeypatch.setattr(world.dynamodb, "call", call_but_once)

    report = _run(service, monkeypatch, LATE)

    assert (report["resumedOrders"], report["failedOrders"]) == (1, 1)
    assert report["failures"][0].startswith(f"{failed[0]}: Read timeout")


def test_an_index_that_cannot_be_read_is_told_once_for_each_time(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = world.dynamodb.call

    def no_index(operation: str, parameters: Any) -> Any:
        if operation == "Query":
            raise ReadTimeoutError(endpoint_url="https://dynamodb")
        return call(operation, parameters)

    monkeypatch.setattr(world.dynamodb, "call", no_index)

    report = _run(service, monkeypatch, LATE)

    # Two ranges of each of two indexes in sixteen shards, and the two measures.
    assert report["failedOrders"] == 2 * 2 * 16 + 2
    assert all(one.startswith("index: Read timeout") for one in report["failures"])
    assert "oldestOverdueSeconds" not in report


def test_a_run_tells_of_ten_failures_and_counts_all(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        world.store_order("CREATED", orderId=_id(number))
    world.events.refusals = 12

    report = _run(service, monkeypatch, LATE)

    assert (report["failedOrders"], len(report["failures"])) == (12, 10)


@pytest.mark.parametrize(
    ("refusals", "resumes", "level"), [(0, 0, "INFO"), (0, 8, "WARNING"), (1, 0, "ERROR")]
)
def test_a_run_is_logged_by_how_well_it_went(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refusals: int,
    resumes: int,
    level: str,
) -> None:
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID]["resumes"] = {"N": str(resumes)}
    world.events.refusals = refusals

    _run(service, monkeypatch, LATE)

    assert json.loads(capsys.readouterr().out)["level"] == level


class Slow:
    """An invocation of 60 s in which each call of DynamoDB takes so many."""

    def __init__(self, world: World, seconds: float, *, of: float = 60) -> None:
        self._calls, self._seconds, self._of = world.dynamodb.calls, seconds, of
        self._before = len(self._calls)

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left by the calls made."""
        made = len(self._calls) - self._before
        return max(0, round(1000 * (self._of - self._seconds * made)))


def _id(number: int) -> str:
    """Return an id in the shard after that of the number before."""
    return f"{number % 16:x}{number:07x}-0000-4000-8000-000000000000"


def _defer(world: World, order_id: str, until: datetime, *, given_up: bool = False) -> None:
    world.dynamodb.tables["orders"][order_id] |= {
        "openShard": {"S": "given-up" if given_up else f"deferred-{order_id[0]}"},
        "nextAttemptAt": {"S": format_timestamp(until)},
        "resumes": {"N": "8" if given_up else "7"},
    }


def _move(world: World, order_id: str, at: datetime) -> None:
    entry = {"status": {"S": "CREATED"}, "at": {"S": format_timestamp(at)}}
    world.dynamodb.tables["orders"][order_id]["history"]["L"].append({"M": entry})


def _walk(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, begin: datetime
) -> Iterator[dict[str, Any]]:
    """Go on with a walk until it ends, a second later each time."""
    report = _run(service, monkeypatch, begin, allOpen=True)
    yield report
    seconds = 0
    while report["next"]:
        seconds += 1
        go_on = {"startedAt": report["startedAt"], "after": report["next"]}
        now = begin + timedelta(seconds=seconds)
        report = _run(service, monkeypatch, now, allOpen=True, **go_on)
        yield report


def _run(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, now: datetime, **call: Any
) -> dict[str, Any]:
    monkeypatch.setattr(service, "utc_now", lambda: now)
    report: dict[str, Any] = service.handle(call, None)
    return report

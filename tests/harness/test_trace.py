"""The trace of an order, read from what is stored with it, on a frozen flow."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.commands.command import moment
from harness.flow.read import read
from harness.trace import StoredOrders, trace
from plumbing.step import format_timestamp
from resume_orders.orders import GIVEN_UP
from tests.flow import example

FLOW = read(example.found())
SAMPLES = {name: sample for name, (sample, _) in example.found().contracts.items()}

PLACED = datetime(2026, 1, 31, 9, tzinfo=UTC)
STATUSES = ["CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED", "INVENTORY_RELEASED"]
EVENTS = ["OrderCreated", "InventoryReserved", "PaymentFailed", "PaymentFailed"]


def _item(steps: int, **changes: Any) -> dict[str, Any]:
    """Return a declined order that made so many steps, a second apart."""
    sample = SAMPLES[EVENTS[steps - 1]]
    times = [format_timestamp(PLACED + timedelta(seconds=second)) for second in range(steps)]
    return {
        "orderId": sample["detail"]["orderId"],
        "status": STATUSES[steps - 1],
        "history": [{"status": s, "at": at} for s, at in zip(STATUSES, times, strict=False)],
        "outbox": {"detailType": EVENTS[steps - 1], "detail": json.dumps(sample["detail"])},
        **({} if steps == len(STATUSES) else {"openShard": "9"}),
        **changes,
    }


def test_each_step_has_its_service_what_it_consumed_and_what_it_published() -> None:
    found = trace(_item(4, failureReason="card declined"), FLOW, PLACED)

    assert [
        (step.status, step.service, step.consumed, step.published, step.waited_milliseconds)
        for step in found.steps
    ] == [
        ("CREATED", "create_order", None, "OrderCreated", None),
        ("INVENTORY_RESERVED", "reserve_inventory", "OrderCreated", "InventoryReserved", 1000),
        ("PAYMENT_FAILED", "charge_payment", "InventoryReserved", "PaymentFailed", 1000),
        ("INVENTORY_RELEASED", "release_inventory", "PaymentFailed", None, 1000),
    ]
    assert (found.compensated, found.because) == ("INVENTORY_RESERVED", "card declined")
    assert found.trace_id == SAMPLES["PaymentFailed"]["detail"]["traceparent"].split("-")[1]
    assert found.waits_for is None


@pytest.mark.parametrize(("minutes", "overdue"), [(3, False), (5, True)])
def test_what_an_order_waits_for_is_overdue_after_so_long(minutes: int, overdue: bool) -> None:
    now = PLACED + timedelta(seconds=1, minutes=minutes)

    found = trace(_item(2), FLOW, now, overdue_after=timedelta(minutes=4))

    assert found.waits_for is not None
    assert (found.waits_for.service, found.waits_for.event) == (
        "charge_payment",
        "InventoryReserved",
    )
    assert (found.waits_for.seconds, found.waits_for.overdue) == (60 * minutes, overdue)
    assert (found.waits_for.attempt, found.waits_for.gave_up) == (1, False)


def test_a_status_of_another_release_is_traced_as_such_until_the_order_has_ended() -> None:
    history = [{"status": "CREATED", "at": "2026-01-31T09:00:00.000Z"}]
    history += [{"status": "STOCK_HELD", "at": "2026-01-31T09:00:01.000Z"}]
    item = _item(2, status="STOCK_HELD", history=history)

    open_one = trace(item, FLOW, PLACED)
    ended = trace({n: v for n, v in item.items() if n != "openShard"}, FLOW, PLACED)

    assert [step.service for step in open_one.steps] == ["create_order", "another release"]
    assert open_one.waits_for is not None
    assert open_one.waits_for.service == "another release"
    assert ended.waits_for is None


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-01-31T09:00:00Z", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T09:00:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31T10:00:00+01:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_utc_unless_it_names_a_zone(text: str, when: datetime) -> None:
    assert moment(text) == when


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259200)]
)
def test_a_time_may_be_so_long_ago(text: str, seconds: int) -> None:
    before = datetime.now(UTC)

    assert before <= moment(text) + timedelta(seconds=seconds) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "10", "-5m", "5w", "999999999999d", "2026-13-01"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="give a time such as"):
        moment(text)


def test_each_resume_is_one_more_attempt_until_the_sweep_gives_up() -> None:
    later = PLACED + timedelta(minutes=9)
    resumed = _item(2, resumes=2, nextAttemptAt=format_timestamp(later))
    given_up = _item(2, resumes=8, nextAttemptAt=format_timestamp(later), openShard=GIVEN_UP)

    once, never = (trace(item, FLOW, later).waits_for for item in (resumed, given_up))

    assert once is not None
    assert (once.attempt, once.next_attempt_at, once.gave_up) == (3, later, False)
    assert never is not None
    assert (never.attempt, never.gave_up) == (9, True)


class StaleIndex:
    """Orders in DynamoDB, whose index also has those that have just ended.

    An order is in the partition that its id begins with.
    """

    def __init__(self, orders: dict[str, bool]) -> None:
        self._orders = orders
        self.prefix = "any"

    def client(self, name: str) -> "StaleIndex":
        return self

    def get_paginator(self, operation: str) -> "StaleIndex":
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """Return one order on each page, as a small index does when the limit is one."""
        shard = request["ExpressionAttributeValues"][":shard"]["S"]
        for order_id in sorted(one for one in self._orders if one.rpartition("-")[0] == shard):
            key = {"createdAt": {"S": f"2026-01-31T09:00:0{order_id[-1]}.000Z"}}
            yield {"Items": [{**key, "orderId": {"S": order_id}}]}

    def get_item(self, **request: Any) -> dict[str, Any]:
        order_id = request["Key"]["orderId"]["S"]
        is_open = {"openShard": {"S": order_id[0]}} if self._orders[order_id] else {}
        return {"Item": {"orderId": {"S": order_id}, **is_open}}


@pytest.mark.parametrize(
    ("limit", "found"), [(1, ["0-2"]), (2, ["0-2", "a-4"]), (9, ["0-2", "a-4", "0-5"])]
)
def test_orders_that_have_just_ended_do_not_hide_open_ones(limit: int, found: list[str]) -> None:
    orders = {"0-1": False, "0-2": True, "1-3": False, "a-4": True, "0-5": True}
    stored = StoredOrders(StaleIndex(orders))  # type: ignore[arg-type]

    listed = [item["orderId"] for item in stored.open(limit)]

    assert listed == found


def test_orders_in_progress_are_those_that_are_fresh_deferred_and_given_up() -> None:
    orders = dict.fromkeys(["given-up-1", "f-2", "deferred-f-3", "deferred-0-4"], True)
    stored = StoredOrders(StaleIndex(orders))  # type: ignore[arg-type]

    listed = [item["orderId"] for item in stored.open(9)]

    assert listed == list(orders)

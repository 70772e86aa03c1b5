"""Where an order is on the map, read from what is stored with it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness import flow
from harness.trace import GIVEN_UP, INDEX, trace
from plumbing.step import written
from resume_orders import orders as resume_orders
from tests.world import SAMPLES

PLACED = datetime(2026, 1, 31, 9, tzinfo=UTC)
STATUSES = ["CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED", "INVENTORY_RELEASED"]
EVENTS = ["OrderCreated", "InventoryReserved", "PaymentFailed", "PaymentFailed"]


def _item(steps: int, **changes: Any) -> dict[str, Any]:
    """Answer a declined order that made so many steps, a second apart."""
    sample = SAMPLES[EVENTS[steps - 1]]
    times = [written(PLACED + timedelta(seconds=second)) for second in range(steps)]
    return {
        "orderId": sample["detail"]["orderId"],
        "status": STATUSES[steps - 1],
        "history": [{"status": s, "at": at} for s, at in zip(STATUSES, times, strict=False)],
        "event": {"detailType": EVENTS[steps - 1], "detail": json.dumps(sample["detail"])},
        "openShard": "9",
        **changes,
    }


def test_a_way_is_told_step_by_step_with_who_heard_and_said_what() -> None:
    found = trace(_item(4, failureReason="card declined"), flow.load(), PLACED)

    assert [
        (step.status, step.service, step.heard, step.said, step.waited_milliseconds)
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
def test_what_an_order_waits_for_is_overdue_after_the_patience(minutes: int, overdue: bool) -> None:
    now = PLACED + timedelta(seconds=1, minutes=minutes)

    found = trace(_item(2), flow.load(), now, patience=timedelta(minutes=4))

    assert found.waits_for is not None
    assert (found.waits_for.service, found.waits_for.event) == (
        "charge_payment",
        "InventoryReserved",
    )
    assert (found.waits_for.seconds, found.waits_for.overdue) == (60 * minutes, overdue)
    assert (found.waits_for.attempt, found.waits_for.gave_up) == (1, False)


def test_what_the_sweep_said_again_is_an_attempt_more_until_it_gives_up() -> None:
    due = PLACED + timedelta(minutes=9)
    resumed = _item(2, resumes=2, due=written(due))
    given_up = _item(2, resumes=8, due=written(due), openShard=GIVEN_UP)

    once, never = (trace(item, flow.load(), due).waits_for for item in (resumed, given_up))

    assert once is not None
    assert (once.attempt, once.due, once.gave_up) == (3, due, False)
    assert never is not None
    assert (never.attempt, never.gave_up) == (9, True)


def test_the_index_is_called_here_as_the_sweep_calls_it() -> None:
    assert (INDEX, GIVEN_UP) == (resume_orders.INDEX, resume_orders.GIVEN_UP)

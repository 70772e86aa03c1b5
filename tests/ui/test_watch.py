"""What the page makes of the events that it is told."""

import json
from itertools import pairwise
from typing import Any

import pytest

from contracts import CONTRACTS
from harness.bus import Crossing
from harness.orders import ENDS
from harness.ui import ways
from harness.ui.watch import KEPT_CROSSINGS, Entered, Row, Timeline, Watch
from tests.world import ORDER_ID, SAMPLES, sample

HAPPY = ("OrderCreated", "InventoryReserved", "PaymentCharged", "ShippingScheduled")
DECLINED = ("OrderCreated", "InventoryReserved", "PaymentFailed")


def test_each_step_leads_to_a_status_further_along_the_way() -> None:
    steps = [
        (ways.STATUS[heard.detail_type], ways.STATUS[said.detail_type])
        for heard in CONTRACTS
        for said in CONTRACTS
        if said.said_by in heard.heard
    ]

    assert steps
    assert all(ways.rank(before) < ways.rank(after) for before, after in steps)
    assert set(ways.STATUSES) >= ENDS
    assert {"release_inventory"} == ways.SILENT


def test_a_happy_order_is_seen_from_its_event_to_its_end() -> None:
    watch = Watch(overdue_after=1000)

    _hear(watch, *HAPPY)

    change = watch.everything()
    detail = SAMPLES["OrderCreated"]["detail"]
    assert change.orders == [
        Row(
            order_id=ORDER_ID,
            number=1,
            customer_id=detail["customerId"],
            sku=detail["sku"],
            quantity=str(detail["quantity"]),
            amount_cents=str(detail["amountCents"]),
            statuses=["CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED", "SHIPPING_SCHEDULED"],
            began=0,
            since=300,
            ended=True,
        )
    ]
    assert change.events == {**dict.fromkeys(ways.STATUS, 0), **dict.fromkeys(HAPPY, 1)}
    assert change.standing == {**dict.fromkeys(ways.STATUSES, 0), "SHIPPING_SCHEDULED": 1}


def test_a_timeline_has_each_event_as_it_crossed_and_what_the_order_waits_for() -> None:
    watch = Watch(overdue_after=1000)

    _hear(watch, "OrderCreated", "InventoryReserved")

    timeline = _timeline(watch)
    assert timeline.entries == [
        Entered(
            at=100 * number,
            status=ways.STATUS[event],
            event=event,
            source=SAMPLES[event]["source"],
            body=json.dumps(SAMPLES[event]),
        )
        for number, event in enumerate(("OrderCreated", "InventoryReserved"))
    ]
    assert (timeline.order.waits_for, timeline.next_event) == (
        "charge_payment",
        "InventoryReserved",
    )


def test_events_that_come_in_another_order_lead_to_the_same_status() -> None:
    watch = Watch(overdue_after=1000)

    _hear(watch, *reversed(HAPPY))

    [row] = watch.everything().orders
    assert row.statuses[-1] == "SHIPPING_SCHEDULED"
    assert watch.everything().standing["SHIPPING_SCHEDULED"] == 1
    assert sum(watch.everything().standing.values()) == 1


def test_an_event_that_crosses_again_is_counted_and_compared() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, "OrderCreated")

    watch.heard(_crossing(sample("OrderCreated"), at=10))
    watch.heard(_crossing(sample("OrderCreated", amountCents=1), at=20))

    [row] = watch.everything().orders
    first, same, other = _timeline(watch).entries
    assert row.again == 2
    assert row.amount_cents == str(SAMPLES["OrderCreated"]["detail"]["amountCents"])
    assert (first.again, same.again, same.same, other.again, other.same) == (
        False,
        True,
        True,
        True,
        False,
    )
    assert watch.everything().events["OrderCreated"] == 3


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        json.dumps({**SAMPLES["OrderCreated"], "source": "elsewhere"}),
        json.dumps({**SAMPLES["OrderCreated"], "source": "orders.charge_payment"}),
        json.dumps({**SAMPLES["OrderCreated"], "detail-type": "OrderLost"}),
        json.dumps({**SAMPLES["OrderCreated"], "detail": "text"}),
        json.dumps(sample("OrderCreated", orderId=7)),
        json.dumps(sample("OrderCreated", sku="X" * 100_000)),
    ],
)
def test_what_no_service_of_the_saga_said_is_left_alone(body: str) -> None:
    watch = Watch(overdue_after=1000)

    watch.heard(Crossing(0, body))

    assert watch.take() is None
    assert watch.everything().orders == []


def test_fields_of_any_type_are_shown_as_text() -> None:
    watch = Watch(overdue_after=1000)

    watch.heard(_crossing(sample("OrderCreated", quantity=None, sku={"a": 1}, customerId=["x"])))

    [row] = watch.everything().orders
    assert (row.quantity, row.sku, row.customer_id) == ("None", "{'a': 1}", "['x']")


def test_only_the_newest_orders_are_kept_and_those_that_ended_go_first() -> None:
    watch = Watch(overdue_after=1000, kept=3)
    _hear(watch, "OrderCreated", order_id="open")
    _hear(watch, *HAPPY, order_id="ended")

    for order_id in ("third", "fourth", "fifth"):
        _hear(watch, "OrderCreated", order_id=order_id)

    change = watch.take()
    assert change is not None
    assert [row.order_id for row in change.orders] == ["third", "fourth", "fifth"]
    assert change.gone == ["ended", "open"]
    # Where one ended stays told; one that was open is no longer known to be.
    assert (change.standing["SHIPPING_SCHEDULED"], change.standing["CREATED"]) == (1, 3)
    assert watch.timeline("open") is None


def test_of_one_order_so_many_crossings_are_kept_and_all_are_counted() -> None:
    watch = Watch(overdue_after=1000)

    for at in range(KEPT_CROSSINGS + 5):
        watch.heard(_crossing(sample("OrderCreated"), at=at))

    assert len(_timeline(watch).entries) == KEPT_CROSSINGS
    assert watch.everything().events["OrderCreated"] == KEPT_CROSSINGS + 5


def test_an_order_is_overdue_when_it_stands_still_for_longer_than_the_deadline() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, "OrderCreated")

    watch.look(1000)
    in_time = watch.everything()
    watch.look(1001)
    too_late = watch.everything()
    watch.heard(_crossing(sample("InventoryReserved"), at=1100))
    goes_on = watch.everything()

    assert [(one.overdue, one.orders[0].overdue) for one in (in_time, too_late, goes_on)] == [
        (0, False),
        (1, True),
        (0, False),
    ]


def test_an_order_that_ended_is_never_overdue() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, *HAPPY)

    watch.look(10**6)

    change = watch.everything()
    assert (change.overdue, change.orders[0].overdue) == (0, False)


def test_a_step_that_no_event_tells_is_read_from_the_record() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, *DECLINED)

    before, due = watch.to_ask_about(449, most=5), watch.to_ask_about(450, most=5)
    watch.recorded(ORDER_ID, _record("CREATED", "PAYMENT_FAILED", "INVENTORY_RELEASED"), 500)

    [row] = watch.everything().orders
    assert (before, due) == ([], [ORDER_ID])
    assert (row.statuses[-1], row.ended, row.reason) == (
        "INVENTORY_RELEASED",
        True,
        "card declined",
    )
    assert _timeline(watch).entries[-1] == Entered(at=2000, status="INVENTORY_RELEASED")
    assert watch.to_ask_about(10**9, most=5) == []


def test_an_order_is_asked_about_less_and_less_often() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, *DECLINED)
    record = _record("CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED")

    asked = []
    for now in range(0, 200_000, 50):
        for order_id in watch.to_ask_about(now, most=5):
            watch.recorded(order_id, record, now)
            asked.append(now)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60_000


def test_an_order_that_was_first_seen_on_its_way_is_asked_about_at_once() -> None:
    watch = Watch(overdue_after=10**9)
    _hear(watch, "PaymentCharged")

    due = watch.to_ask_about(250, most=5)
    watch.recorded(ORDER_ID, _record("CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED"), 300)

    assert due == [ORDER_ID]
    assert watch.knows_all(ORDER_ID)
    assert _timeline(watch).order.statuses == ["CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED"]


def test_an_order_that_was_never_seen_is_known_by_its_record() -> None:
    watch = Watch(overdue_after=1000)

    watch.recorded(ORDER_ID, _record("CREATED", "PAYMENT_FAILED", "INVENTORY_RELEASED"), 300)

    timeline = _timeline(watch)
    assert (timeline.order.reason, timeline.order.customer_id) == ("card declined", "")
    assert [(entry.at, entry.event) for entry in timeline.entries] == [
        (0, None),
        (1000, None),
        (2000, None),
    ]


def test_an_order_of_which_there_is_no_record_has_what_was_said_instead() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, "PaymentCharged")

    watch.unrecorded(ORDER_ID, "No order has this id.", 300)
    watch.unrecorded("never-seen", "No order has this id.", 300)

    assert _timeline(watch).note == "No order has this id."
    assert watch.timeline("never-seen") is None


def test_not_more_than_so_many_orders_are_asked_about_at_once() -> None:
    watch = Watch(overdue_after=1000)
    for number in range(10):
        _hear(watch, *DECLINED, order_id=str(number))

    assert watch.to_ask_about(10**6, most=4) == ["0", "1", "2", "3"]


def test_only_what_changed_is_told_again() -> None:
    watch = Watch(overdue_after=1000)
    _hear(watch, "OrderCreated", order_id="one")
    _hear(watch, "OrderCreated", order_id="other")
    watch.take()

    _hear(watch, "InventoryFailed", order_id="one")

    change = watch.take()
    assert change is not None
    assert [row.order_id for row in change.orders] == ["one"]
    assert watch.take() is None


def test_an_event_is_said_again_to_the_byte() -> None:
    watch = Watch(overdue_after=1000)
    detail = '{"orderId":"one",  "sku":"\\u00e9" }'
    envelope = {"source": "orders.create_order", "detail-type": "OrderCreated", "detail": 0}
    watch.heard(Crossing(0, json.dumps(envelope).replace('"detail": 0', f'"detail": {detail}')))
    _hear(watch, "InventoryReserved", order_id="other")

    latest, chosen = watch.said(None, None), watch.said("one", "OrderCreated")

    assert latest is not None
    assert chosen is not None
    assert latest.detail_type == "InventoryReserved"
    assert (chosen.source, chosen.detail_type) == ("orders.create_order", "OrderCreated")
    assert chosen.detail == detail
    assert watch.said("one", "PaymentCharged") is None
    assert watch.said("unheard", None) is None


def test_a_contradictory_order_breaks_nothing() -> None:
    watch = Watch(overdue_after=1000)

    _hear(watch, "OrderCreated", "InventoryFailed", "PaymentCharged", "ShippingScheduled")

    change = watch.everything()
    assert [row.ended for row in change.orders] == [True]
    assert sum(change.standing.values()) == 1


def _hear(watch: Watch, *events: str, order_id: str = ORDER_ID) -> None:
    for number, event in enumerate(events):
        watch.heard(_crossing(sample(event, orderId=order_id), at=number * 100))


def _crossing(event: dict[str, Any], at: int = 0) -> Crossing:
    return Crossing(at, json.dumps(event))


def _timeline(watch: Watch) -> Timeline:
    timeline = watch.timeline(ORDER_ID)
    assert timeline is not None
    return timeline


def _record(*statuses: str) -> dict[str, Any]:
    history = [
        {"status": status, "at": f"1970-01-01T00:00:0{second}.000Z"}
        for second, status in enumerate(statuses)
    ]
    return {"status": statuses[-1], "failureReason": "card declined", "history": history}

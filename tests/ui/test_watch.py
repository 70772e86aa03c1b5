"""What the page makes of the events and records that it observes, on a frozen flow."""

import json
from itertools import pairwise
from typing import Any

import pytest

from harness.bus import ObservedEvent
from harness.flow.read import read
from harness.ui.watch import KEPT_EVENTS, Row, Timeline, TimelineEntry, Watch
from tests.flow import example

FLOW = read(example.found())
SAMPLES: dict[str, Any] = {
    event.name: {
        "detail-type": event.name,
        "source": event.source,
        "detail": example.found().contracts[event.name][0]["detail"],
    }
    for event in FLOW.events
}
STATUS = {event.name: event.status for event in FLOW.events}
ORDER_ID = SAMPLES["OrderCreated"]["detail"]["orderId"]

HAPPY = ("OrderCreated", "InventoryReserved", "PaymentCharged", "ShippingScheduled")
DECLINED = ("OrderCreated", "InventoryReserved", "PaymentFailed")


def sample(event: str, **changes: Any) -> dict[str, Any]:
    return {**SAMPLES[event], "detail": {**SAMPLES[event]["detail"], **changes}}


def test_a_happy_order_is_followed_from_its_first_event_to_its_last() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    _observe(watch, *HAPPY)

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
            outcome="completed",
        )
    ]
    assert change.events == {**dict.fromkeys(STATUS, 0), **dict.fromkeys(HAPPY, 1)}
    assert change.statuses == {
        **{status.name: 0 for status in FLOW.statuses},
        "SHIPPING_SCHEDULED": 1,
    }


def test_a_timeline_has_each_event_as_observed_and_what_the_order_waits_for() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    _observe(watch, "OrderCreated", "InventoryReserved")

    timeline = _timeline(watch)
    assert timeline.entries == [
        TimelineEntry(
            at=100 * number,
            status=STATUS[event],
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
    watch = Watch(FLOW, overdue_after=1000)

    _observe(watch, *reversed(HAPPY))

    [row] = watch.everything().orders
    assert row.statuses[-1] == "SHIPPING_SCHEDULED"
    assert watch.everything().statuses["SHIPPING_SCHEDULED"] == 1
    assert sum(watch.everything().statuses.values()) == 1


def test_a_duplicate_event_is_counted_and_compared() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, "OrderCreated")

    watch.observe(_observed(sample("OrderCreated"), at=10))
    watch.observe(_observed(sample("OrderCreated", amountCents=1), at=20))

    [row] = watch.everything().orders
    first, same, other = _timeline(watch).entries
    assert row.duplicates == 2
    assert row.amount_cents == str(SAMPLES["OrderCreated"]["detail"]["amountCents"])
    assert (first.duplicate, same.duplicate, same.same, other.duplicate, other.same) == (
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
        json.dumps(SAMPLES["OrderCreated"]).replace('"COFFEE"', "[" * 3_000 + "]" * 3_000),
        "[" * 20_000,
        '{"detail-type": "\\ud800"}',
    ],
)
def test_what_no_service_of_the_saga_publishes_is_ignored(body: str) -> None:
    watch = Watch(FLOW, overdue_after=1000)

    watch.observe(ObservedEvent(0, body))

    assert watch.take() is None
    assert watch.everything().orders == []


def test_fields_of_any_type_are_shown_as_text() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    watch.observe(_observed(sample("OrderCreated", quantity=None, sku={"a": 1}, customerId=["x"])))

    [row] = watch.everything().orders
    assert (row.quantity, row.sku, row.customer_id) == ("(NoneType)", "(dict)", "(list)")


def test_only_the_newest_orders_are_kept_and_those_that_ended_go_first() -> None:
    watch = Watch(FLOW, overdue_after=1000, kept=3)
    _observe(watch, "OrderCreated", order_id="open")
    _observe(watch, *HAPPY, order_id="ended")

    for order_id in ("third", "fourth", "fifth"):
        _observe(watch, "OrderCreated", order_id=order_id)

    change = watch.take()
    assert change is not None
    assert [row.order_id for row in change.orders] == ["third", "fourth", "fifth"]
    assert change.gone == ["ended", "open"]
    # The status of one that ended stays counted; that of an open one does not.
    assert (change.statuses["SHIPPING_SCHEDULED"], change.statuses["CREATED"]) == (1, 3)
    assert watch.timeline("open") is None


def test_so_many_duplicates_of_an_order_are_kept_and_all_are_counted() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    for at in range(KEPT_EVENTS + 5):
        watch.observe(_observed(sample("OrderCreated"), at=at))

    assert len(_timeline(watch).entries) == KEPT_EVENTS
    assert watch.everything().events["OrderCreated"] == KEPT_EVENTS + 5


def test_an_order_is_overdue_after_so_long_without_a_step() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, "OrderCreated")

    watch.look(1000)
    in_time = watch.everything()
    watch.look(1001)
    too_late = watch.everything()
    watch.observe(_observed(sample("InventoryReserved"), at=1100))
    goes_on = watch.everything()

    assert [(one.overdue, one.orders[0].overdue) for one in (in_time, too_late, goes_on)] == [
        (0, False),
        (1, True),
        (0, False),
    ]


def test_an_order_that_ended_is_never_overdue() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, *HAPPY)

    watch.look(10**6)

    change = watch.everything()
    assert (change.overdue, change.orders[0].overdue) == (0, False)


def test_a_step_without_an_event_is_read_from_the_record() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, *DECLINED)

    before, due = watch.to_ask_about(449, limit=5), watch.to_ask_about(450, limit=5)
    watch.recorded(ORDER_ID, _record("CREATED", "PAYMENT_FAILED", "INVENTORY_RELEASED"), 500)

    [row] = watch.everything().orders
    assert (before, due) == ([], [ORDER_ID])
    assert (row.statuses[-1], row.ended, row.reason) == (
        "INVENTORY_RELEASED",
        True,
        "card declined",
    )
    assert _timeline(watch).entries[-1] == TimelineEntry(at=2000, status="INVENTORY_RELEASED")
    assert watch.to_ask_about(10**9, limit=5) == []


def test_an_order_is_asked_about_less_and_less_often() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, *DECLINED)
    record = _record("CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED")

    asked = []
    for now in range(0, 200_000, 50):
        for order_id in watch.to_ask_about(now, limit=5):
            watch.recorded(order_id, record, now)
            asked.append(now)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60_000


def test_an_order_that_was_first_observed_in_progress_is_asked_about_at_once() -> None:
    watch = Watch(FLOW, overdue_after=10**9)
    _observe(watch, "PaymentCharged")

    due = watch.to_ask_about(250, limit=5)
    watch.recorded(ORDER_ID, _record("CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED"), 300)

    assert due == [ORDER_ID]
    assert watch.knows_all(ORDER_ID)
    assert _timeline(watch).order.statuses == ["CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED"]


def test_an_order_that_was_never_seen_is_known_by_its_record() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    watch.recorded(ORDER_ID, _record("CREATED", "PAYMENT_FAILED", "INVENTORY_RELEASED"), 300)

    timeline = _timeline(watch)
    assert (timeline.order.reason, timeline.order.customer_id) == ("card declined", "")
    assert [(entry.at, entry.event) for entry in timeline.entries] == [
        (0, None),
        (1000, None),
        (2000, None),
    ]


def test_an_order_without_a_record_has_the_error_instead() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, "PaymentCharged")

    watch.unrecorded(ORDER_ID, "No order has this id.", 300)
    watch.unrecorded("never-seen", "No order has this id.", 300)

    assert _timeline(watch).note == "No order has this id."
    assert watch.timeline("never-seen") is None


def test_not_more_than_so_many_orders_are_asked_about_at_once() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    for number in range(10):
        _observe(watch, *DECLINED, order_id=str(number))

    assert watch.to_ask_about(10**6, limit=4) == ["0", "1", "2", "3"]


def test_only_what_changed_is_sent_again() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    _observe(watch, "OrderCreated", order_id="one")
    _observe(watch, "OrderCreated", order_id="other")
    watch.take()

    _observe(watch, "InventoryFailed", order_id="one")

    change = watch.take()
    assert change is not None
    assert [row.order_id for row in change.orders] == ["one"]
    assert watch.take() is None


def test_an_event_is_redelivered_byte_for_byte() -> None:
    watch = Watch(FLOW, overdue_after=1000)
    detail = '{"orderId":"one",  "sku":"\\u00e9" }'
    envelope = {"source": "orders.create_order", "detail-type": "OrderCreated", "detail": 0}
    watch.observe(
        ObservedEvent(0, json.dumps(envelope).replace('"detail": 0', f'"detail": {detail}'))
    )
    _observe(watch, "InventoryReserved", order_id="other")

    latest, chosen = watch.stored_event(None, None), watch.stored_event("one", "OrderCreated")

    assert latest is not None
    assert chosen is not None
    assert latest.detail_type == "InventoryReserved"
    assert (chosen.source, chosen.detail_type) == ("orders.create_order", "OrderCreated")
    assert chosen.detail == detail
    assert watch.stored_event("one", "PaymentCharged") is None
    assert watch.stored_event("unknown", None) is None


def test_a_contradictory_order_breaks_nothing() -> None:
    watch = Watch(FLOW, overdue_after=1000)

    _observe(watch, "OrderCreated", "InventoryFailed", "PaymentCharged", "ShippingScheduled")

    change = watch.everything()
    assert [row.ended for row in change.orders] == [True]
    assert sum(change.statuses.values()) == 1


def _observe(watch: Watch, *events: str, order_id: str = ORDER_ID) -> None:
    for number, event in enumerate(events):
        watch.observe(_observed(sample(event, orderId=order_id), at=number * 100))


def _observed(event: dict[str, Any], at: int = 0) -> ObservedEvent:
    return ObservedEvent(at, json.dumps(event))


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

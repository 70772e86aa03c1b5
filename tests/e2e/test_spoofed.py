"""Events that nobody here said: forged, too early, too late, or from elsewhere.

Whoever may put events on the bus can name any source. Against an order at each of its statuses,
nothing of what they say moves a status, a unit or money; what was truly said leads on.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contracts import CONTRACTS
from harness.orders import Request
from tests.e2e.bus import ACCOUNT, Bus
from tests.e2e.shop import Item, Shop, as_said, eventually

ORDER = Request(customer_id="CUST-1", sku="SPOOFED", quantity=2, amount_cents=500)
DECLINED = Request(customer_id="CUST-DECLINE", sku="SPOOFED", quantity=2, amount_cents=500)
REFUSED = Request(customer_id="CUST-1", sku="NEVER-THERE", quantity=2, amount_cents=500)

SHELVES = {"SPOOFED": 10, "ELSEWHERE": 10, "NEVER-THERE": 0}
FORGED = {
    "customerId": "CUST-FORGED",
    "sku": "ELSEWHERE",
    "quantity": 3,
    "amountCents": 1,
    "reservationId": "00000000-0000-4000-8000-000000000001",
    "paymentId": "00000000-0000-4000-8000-000000000002",
    "trackingNumber": "TRK-00000000",
    "reason": "because we say so",
}

# An order that comes to each status, and the service that has to be deaf for it to stay there.
WAYS = {
    "CREATED": (ORDER, "reserve_inventory"),
    "INVENTORY_RESERVED": (ORDER, "charge_payment"),
    "INVENTORY_FAILED": (REFUSED, None),
    "PAYMENT_CHARGED": (ORDER, "notify_shipping"),
    "PAYMENT_FAILED": (DECLINED, "release_inventory"),
    "SHIPPING_SCHEDULED": (ORDER, None),
    "INVENTORY_RELEASED": (DECLINED, None),
}
HEARERS = {contract.detail_type: service for contract in CONTRACTS for service in contract.heard}
STATUS_AFTER: dict[str, str] = {
    contract.detail_type: contract.said.status  # type: ignore[attr-defined]
    for contract in CONTRACTS
}
at_every_status = pytest.mark.parametrize("status", WAYS)


@at_every_status
def test_a_forged_event_moves_nothing(shop: Shop, bus: Bus, status: str) -> None:
    with _standing(shop, bus, status, "forged") as item, bus.tapped() as tap:
        before = _world(shop, item)

        errors = {
            (detail_type, field): shop.invoke(HEARERS[detail_type], forged)
            for detail_type in HEARERS
            for field, forged in _forgeries(detail_type, item)
        }

        assert _world(shop, item) == before
        # Said to the service that is next, it is an error that names the field; to others, late
        # or early: at most they say again, word for word, what was said last.
        for (detail_type, field), error in errors.items():
            if STATUS_AFTER[detail_type] == status:
                named = "failureReason" if field == "reason" else field
                assert error is not None, f"{detail_type} with another {field} was taken for true"
                assert error["errorMessage"] == f"the event differs from what is stored in {named}"
            else:
                assert error is None, f"{detail_type}, {field}: {error}"
        assert all(event["detail"] == _last_said(item) for event in tap.of(item["orderId"]))


@at_every_status
def test_an_event_said_too_early_or_too_late_moves_nothing(
    shop: Shop, bus: Bus, status: str
) -> None:
    with _standing(shop, bus, status, "untimely") as item, bus.tapped() as tap:
        before = _world(shop, item)
        untimely = [name for name in HEARERS if STATUS_AFTER[name] != status]

        errors = [shop.invoke(HEARERS[name], as_said(name, item)) for name in untimely]

        assert errors == [None] * len(untimely)
        assert _world(shop, item) == before
        assert all(event["detail"] == _last_said(item) for event in tap.of(item["orderId"]))


@at_every_status
def test_spoofed_events_of_every_type_on_the_bus_move_nothing(
    shop: Shop, bus: Bus, status: str
) -> None:
    with _standing(shop, bus, status, "on-the-bus") as item:
        before = _world(shop, item)
        deaf = WAYS[status][1]
        called = {service: shop.calls(service) for service in HEARERS.values() if service != deaf}

        for contract in CONTRACTS:
            event = as_said(contract.detail_type, item)
            bus.say(event)
            forged = {name: FORGED[name] for name in event["detail"] if name in FORGED}
            bus.say({**event, "detail": event["detail"] | forged})

        for service, calls in called.items():
            _await_calls(shop, service, calls + 2)
        assert _world(shop, item) == before


@pytest.mark.parametrize(
    ("status", "detail_type", "outcome"),
    [
        ("CREATED", "OrderCreated", "INVENTORY_RESERVED"),
        ("INVENTORY_RESERVED", "InventoryReserved", "PAYMENT_CHARGED"),
        ("PAYMENT_CHARGED", "PaymentCharged", "SHIPPING_SCHEDULED"),
        ("PAYMENT_FAILED", "PaymentFailed", "INVENTORY_RELEASED"),
    ],
)
def test_an_event_that_is_exactly_what_was_said_leads_on_once(
    shop: Shop, bus: Bus, status: str, detail_type: str, outcome: str
) -> None:
    beyond = {"INVENTORY_RESERVED": "charge_payment", "PAYMENT_CHARGED": "notify_shipping"}
    # Whoever hears of the outcome is deaf too, so that this one step can be seen.
    deaf = [beyond[outcome]] if outcome in beyond else []
    with _standing(shop, bus, status, "exact", *deaf) as item:
        exact = as_said(detail_type, item)

        errors = [shop.invoke(HEARERS[detail_type], exact) for _ in range(3)]

        assert errors == [None, None, None]
        statuses = [step["status"] for step in shop.stored(item["orderId"])["history"]]
        assert statuses == [*(step["status"] for step in item["history"]), outcome]


@pytest.mark.parametrize("detail_type", HEARERS)
def test_an_event_of_a_foreign_source_or_account_is_heard_by_nobody(
    bus: Bus, detail_type: str
) -> None:
    genuine = {**as_said(detail_type, {"orderId": str(FORGED["paymentId"])}), "account": ACCOUNT}
    sources = ["orders.somebody_else", "orders", "elsewhere", genuine["source"] + ".more"]

    foreign = [{**genuine, "source": source} for source in sources]
    foreign.append({**genuine, "account": "999999999999"})

    assert bus.would_hear(HEARERS[detail_type], genuine)
    for service in HEARERS.values():
        assert [event for event in foreign if bus.would_hear(service, event)] == []


def test_what_a_foreign_source_says_of_an_order_moves_nothing(shop: Shop, bus: Bus) -> None:
    shop.stock.fill(SHELVES)
    with bus.deaf("reserve_inventory"):
        order_id = shop.place(ORDER, "spoofed-foreign")
        item = shop.stored(order_id)
    before = _world(shop, item)

    # All hear again; the order stands still, because what was said of it is lost.
    for detail_type in HEARERS:
        bus.say({**as_said(detail_type, item), "source": "elsewhere"})
    # What is said after it goes its whole way meanwhile.
    later = shop.place(REFUSED, "spoofed-foreign-later")
    shop.stands_at(later, "INVENTORY_FAILED")

    assert _world(shop, item) == before
    shop.end([order_id])
    assert shop.stored(order_id)["status"] == "SHIPPING_SCHEDULED"


@contextmanager
def _standing(shop: Shop, bus: Bus, status: str, name: str, *also_deaf: str) -> Iterator[Item]:
    """Have an order stand at a status meanwhile; see it end afterwards as if nothing had been."""
    shop.stock.fill(SHELVES)
    order, deaf = WAYS[status]
    with bus.deaf(*([deaf] if deaf else []), *also_deaf):
        order_id = shop.place(order, f"spoofed-{name}-{status}")
        yield shop.stands_at(order_id, status)
    shop.end([order_id])
    ended = shop.stored(order_id)
    assert (
        ended["status"]
        == {
            ORDER: "SHIPPING_SCHEDULED",
            DECLINED: "INVENTORY_RELEASED",
            REFUSED: "INVENTORY_FAILED",
        }[order]
    )
    shipped = order.quantity if ended["status"] == "SHIPPING_SCHEDULED" else 0
    assert shop.stock.units("SPOOFED") == SHELVES["SPOOFED"] - shipped


def _await_calls(shop: Shop, service: str, calls: int) -> None:
    eventually(lambda: shop.calls(service) >= calls, seen=f"{service} called {calls} times")


def _forgeries(detail_type: str, item: Item) -> Iterator[tuple[str, Item]]:
    event = as_said(detail_type, item)
    for field in event["detail"]:
        if field in FORGED:
            yield field, {**event, "detail": event["detail"] | {field: FORGED[field]}}


def _world(shop: Shop, item: Item) -> tuple[Item, list[int | None]]:
    return shop.stored(item["orderId"]), [shop.stock.units(sku) for sku in SHELVES]


def _last_said(item: Item) -> Any:
    return json.loads(item["event"]["detail"])

"""Events that no service published: forged, too early, too late, or from elsewhere.

A caller with permission to put events on the bus can name any source. Against an order at each of
its statuses, no such event changes a status, a unit or money; the genuine event does.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contracts import CONTRACTS
from harness.orders import Request
from tests.e2e.bus import ACCOUNT, Bus
from tests.e2e.shop import Item, Shop, as_published, eventually

ORDER = Request(customer_id="CUST-1", sku="SPOOFED", quantity=2, amount_cents=500)
DECLINED = Request(customer_id="CUST-DECLINE", sku="SPOOFED", quantity=2, amount_cents=500)
REFUSED = Request(customer_id="CUST-1", sku="NEVER-THERE", quantity=2, amount_cents=500)

SEED_STOCK = {"SPOOFED": 10, "ELSEWHERE": 10, "NEVER-THERE": 0}
FORGED = {
    "customerId": "CUST-FORGED",
    "sku": "ELSEWHERE",
    "quantity": 3,
    "amountCents": 1,
    "reservationId": "00000000-0000-4000-8000-000000000001",
    "paymentId": "00000000-0000-4000-8000-000000000002",
    "trackingNumber": "TRK-00000000",
    "reason": "just because",
}

# An order that comes to each status, and the service to pause for it to stay there.
PATHS = {
    "CREATED": (ORDER, "reserve_inventory"),
    "INVENTORY_RESERVED": (ORDER, "charge_payment"),
    "INVENTORY_FAILED": (REFUSED, None),
    "PAYMENT_CHARGED": (ORDER, "notify_shipping"),
    "PAYMENT_FAILED": (DECLINED, "release_inventory"),
    "SHIPPING_SCHEDULED": (ORDER, None),
    "INVENTORY_RELEASED": (DECLINED, None),
}
CONSUMES = {
    contract.detail_type: service for contract in CONTRACTS for service in contract.consumers
}
STATUS_AFTER: dict[str, str] = {
    contract.detail_type: contract.published.status  # type: ignore[attr-defined]
    for contract in CONTRACTS
}
at_every_status = pytest.mark.parametrize("status", PATHS)


@at_every_status
def test_a_forged_event_changes_nothing(shop: Shop, bus: Bus, status: str) -> None:
    with _kept_at(shop, bus, status, "forged") as item, bus.tapped() as tap:
        before = _world(shop, item)

        errors = {
            (detail_type, field): shop.invoke(CONSUMES[detail_type], forged)
            for detail_type in CONSUMES
            for field, forged in _forgeries(detail_type, item)
        }

        assert _world(shop, item) == before
        # For the service that is next it is an error that names the field. For the others it is
        # early or late: at most they publish the last event again, byte for byte.
        for (detail_type, field), error in errors.items():
            if STATUS_AFTER[detail_type] == status:
                assert error is not None, f"{detail_type} with another {field} was accepted"
                assert error["errorMessage"] == f"the event differs from what is stored in {field}"
            else:
                assert error is None, f"{detail_type}, {field}: {error}"
        assert all(event["detail"] == _last_published(item) for event in tap.of(item["orderId"]))


@at_every_status
def test_an_event_too_early_or_too_late_changes_nothing(shop: Shop, bus: Bus, status: str) -> None:
    with _kept_at(shop, bus, status, "untimely") as item, bus.tapped() as tap:
        before = _world(shop, item)
        untimely = [name for name in CONSUMES if STATUS_AFTER[name] != status]

        errors = [shop.invoke(CONSUMES[name], as_published(name, item)) for name in untimely]

        assert errors == [None] * len(untimely)
        assert _world(shop, item) == before
        assert all(event["detail"] == _last_published(item) for event in tap.of(item["orderId"]))


@at_every_status
def test_spoofed_events_of_every_type_on_the_bus_change_nothing(
    shop: Shop, bus: Bus, status: str
) -> None:
    with _kept_at(shop, bus, status, "on-the-bus") as item:
        before = _world(shop, item)
        paused = PATHS[status][1]
        called = {
            service: shop.calls(service) for service in CONSUMES.values() if service != paused
        }

        for contract in CONTRACTS:
            event = as_published(contract.detail_type, item)
            bus.publish(event)
            forged = {name: FORGED[name] for name in event["detail"] if name in FORGED}
            bus.publish({**event, "detail": event["detail"] | forged})

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
def test_an_event_that_is_exactly_the_published_one_makes_one_step(
    shop: Shop, bus: Bus, status: str, detail_type: str, outcome: str
) -> None:
    beyond = {"INVENTORY_RESERVED": "charge_payment", "PAYMENT_CHARGED": "notify_shipping"}
    # The consumer of the outcome is paused too, so that this one step can be observed.
    paused = [beyond[outcome]] if outcome in beyond else []
    with _kept_at(shop, bus, status, "exact", *paused) as item:
        exact = as_published(detail_type, item)

        errors = [shop.invoke(CONSUMES[detail_type], exact) for _ in range(3)]

        assert errors == [None, None, None]
        statuses = [step["status"] for step in shop.stored(item["orderId"])["history"]]
        assert statuses == [*(step["status"] for step in item["history"]), outcome]


@pytest.mark.parametrize("detail_type", CONSUMES)
def test_an_event_of_a_foreign_source_or_account_reaches_no_service(
    bus: Bus, detail_type: str
) -> None:
    genuine = {
        **as_published(detail_type, {"orderId": str(FORGED["paymentId"])}),
        "account": ACCOUNT,
    }
    sources = ["orders.somebody_else", "orders", "elsewhere", genuine["source"] + ".more"]

    foreign = [{**genuine, "source": source} for source in sources]
    foreign.append({**genuine, "account": "999999999999"})

    assert bus.would_consume(CONSUMES[detail_type], genuine)
    for service in CONSUMES.values():
        assert [event for event in foreign if bus.would_consume(service, event)] == []


def test_an_event_of_a_foreign_source_on_the_bus_changes_nothing(shop: Shop, bus: Bus) -> None:
    shop.stock.set(SEED_STOCK)
    with bus.paused("reserve_inventory"):
        order_id = shop.place(ORDER, "spoofed-foreign")
        item = shop.stored(order_id)
    before = _world(shop, item)

    # All consume again; the order is stalled, because its event is lost.
    for detail_type in CONSUMES:
        bus.publish({**as_published(detail_type, item), "source": "elsewhere"})
    # An order placed later ends meanwhile.
    later = shop.place(REFUSED, "spoofed-foreign-later")
    shop.reaches(later, "INVENTORY_FAILED")

    assert _world(shop, item) == before
    shop.end([order_id])
    assert shop.stored(order_id)["status"] == "SHIPPING_SCHEDULED"


@contextmanager
def _kept_at(shop: Shop, bus: Bus, status: str, name: str, *also_paused: str) -> Iterator[Item]:
    """Keep an order at a status meanwhile; see it end afterwards as if nothing had happened."""
    shop.stock.set(SEED_STOCK)
    order, paused = PATHS[status]
    with bus.paused(*([paused] if paused else []), *also_paused):
        order_id = shop.place(order, f"spoofed-{name}-{status}")
        yield shop.reaches(order_id, status)
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
    assert shop.stock.units("SPOOFED") == SEED_STOCK["SPOOFED"] - shipped


def _await_calls(shop: Shop, service: str, calls: int) -> None:
    eventually(lambda: shop.calls(service) >= calls, seen=f"{service} called {calls} times")


def _forgeries(detail_type: str, item: Item) -> Iterator[tuple[str, Item]]:
    event = as_published(detail_type, item)
    for field in event["detail"]:
        if field in FORGED:
            yield field, {**event, "detail": event["detail"] | {field: FORGED[field]}}


def _world(shop: Shop, item: Item) -> tuple[Item, list[int | None]]:
    return shop.stored(item["orderId"]), [shop.stock.units(sku) for sku in SEED_STOCK]


def _last_published(item: Item) -> Any:
    return json.loads(item["outbox"]["detail"])

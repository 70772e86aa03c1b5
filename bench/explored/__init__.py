"""The peers as the explorer is told them: handlers as people write them, not one line changed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from explorer.app import App, Function, Partner, Request, Rule, Scenario, Table
from explorer.exploration import Exploration
from explorer.flow import Flow, Saga, Transition
from explorer.view import View

PEERS = Path(__file__).resolve().parents[1] / "peers"
CREATED, RESERVED, FAILED = "CREATED", "INVENTORY_RESERVED", "INVENTORY_FAILED"
CHARGED, DECLINED = "PAYMENT_CHARGED", "PAYMENT_FAILED"
SENT, RELEASED = "SHIPPING_SCHEDULED", "INVENTORY_RELEASED"
RESERVE, CHARGE, SHIP, RELEASE = (
    *("reserve_inventory", "charge_payment"),
    *("notify_shipping", "release_inventory"),
)
FLOW = Flow(
    (
        Transition("create_order", None, CREATED, "OrderCreated"),
        Transition(RESERVE, CREATED, RESERVED, "InventoryReserved"),
        Transition(RESERVE, CREATED, FAILED, "InventoryFailed", failure=True, final=True),
        Transition(CHARGE, RESERVED, CHARGED, "PaymentCharged", pivot=True),
        Transition(CHARGE, RESERVED, DECLINED, "PaymentFailed", failure=True),
        Transition(SHIP, CHARGED, SENT, "ShippingScheduled", final=True),
        Transition(RELEASE, DECLINED, RELEASED, final=True, compensates=RESERVED),
    )
)
SAGA = Saga("orders", "orderId", FLOW)
[HELD] = FLOW.held.values()
CONSUMES = {
    RESERVE: ("OrderCreated", "create_order"),
    CHARGE: ("InventoryReserved", RESERVE),
    SHIP: ("PaymentCharged", CHARGE),
    RELEASE: ("PaymentFailed", CHARGE),
}


def charges(order: Any) -> Sequence[Any]:
    """Return what a payment provider may answer: the outcomes of the handler's own module."""
    models = sys.modules[type(order).__module__]
    return (
        models.PaymentCharged(payment_id=order.order_id, **order.model_dump()),
        models.PaymentFailed(reason="card declined", **order.model_dump()),
    )


def by_order(arguments: Mapping[str, Any]) -> object:
    """Return the key under which a partner remembers what it did.

    Both are given the order as a whole, and simulated to return the same for the same order.
    """
    return arguments["order"].order_id


PARTNERS = {
    CHARGE: {
        "charge": Partner("", charges, lambda answer: hasattr(answer, "payment_id"), key=by_order)
    },
    SHIP: {"book": Partner("", lambda order: ("TRK-1",), key=by_order)},
}


def exploration(peer: str, idempotency: str | None = None) -> Exploration:
    """Return what is explored of a peer; some have a table of idempotency records."""
    tables = [Table("orders", "orderId"), Table("inventory", "sku")]
    environment = {
        "ORDERS_TABLE": "orders",
        "INVENTORY_TABLE": "inventory",
        "EVENT_BUS_NAME": "bus",
    }
    if idempotency:
        tables.append(Table(idempotency, "id"))
        environment["IDEMPOTENCY_TABLE"] = idempotency
    app = App(
        functions=[
            Function(
                name,
                f"{name}.handler",
                [PEERS / peer],
                {**environment, "EVENT_SOURCE": f"orders.{name}"},
                PARTNERS.get(name, {}),
                waits=(timedelta(minutes=1), timedelta(minutes=2)),
            )
            for name in ("create_order", *CONSUMES)
        ],
        tables=tables,
        rules=[
            Rule({"detail-type": [detail_type], "source": [f"orders.{source}"]}, target, "bus")
            for target, (detail_type, source) in CONSUMES.items()
        ],
    )
    return Exploration(
        app,
        SCENARIOS,
        saga=SAGA,
        invariants=(stock_adds_up, what_is_paid_for_is_sent, one_request_is_one_order),
    )


def scenario(
    name: str, *customers: str, sku: str = "COFFEE", stock: int = 3, at_once: int = 2, **may: int
) -> Scenario:
    """Return a scenario of one order by each customer."""
    requests = [
        Request(
            "create_order",
            {"body": json.dumps({"customerId": customer, "sku": sku, "amountCents": 500})},
        )
        for customer in customers
    ]
    items = {"inventory": [{"sku": sku, "available": stock}]}
    return Scenario(name, requests, items, may, at_once=at_once)


SCENARIOS = (
    scenario("sold out", "CUST-1", stock=0, faults=1),
    scenario("one order", "CUST-1", faults=1),
    scenario("last unit", "CUST-1", "CUST-2", stock=1, faults=1, at_once=1),
    scenario("delivered twice", "CUST-1", duplicates=1),
    scenario("a day", "CUST-1", duplicates=1, days=1),
    scenario("lost", "CUST-1", losses=1),
)


def stock_adds_up(view: View) -> Iterator[str]:
    """Yield where what is available and what orders hold is not what there was."""
    held: Counter[str] = Counter()
    for order in view.items("orders").values():
        if order.get("status") in HELD:
            held[order["sku"]] += order["quantity"]
    for item in view.scenario.items["inventory"]:
        there = view.items("inventory")[item["sku"]]["available"] + held[item["sku"]]
        if there < item["available"]:
            yield "units are missing that no order holds"
        if there > item["available"]:
            yield "more units are available or held than there are"


def what_is_paid_for_is_sent(view: View) -> Iterator[str]:
    """Yield what is charged for and not sent, or sent and not charged for."""
    for order_id, order in view.items("orders").items():
        status = order.get("status")
        charged = any(act.effect for act in view.acts(f"{CHARGE}.charge", order_id))
        if charged and view.rests and status not in FLOW.charged:
            yield f"a card is charged, and the order is {status}"
        if view.acts(f"{SHIP}.book", order_id) and not charged:
            yield "goods are sent, and no card is charged"


def one_request_is_one_order(view: View) -> Iterator[str]:
    """Yield when a customer who sent one order has two that go on."""
    customers = Counter(
        order.get("customerId")
        for order in view.items("orders").values()
        if order.get("status") != CREATED
    )
    if view.rests and any(count > 1 for count in customers.values()):
        yield "a customer sent one order, and there are two"

"""What is explored: orders, the stock that they meet, and how much may go wrong."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from contracts import CONTRACTS
from create_order.api import ORDERS
from explorer.app import Request, Scenario, send_again
from explorer.world import MORNING
from plumbing.step import format_timestamp
from plumbing.trace import traceparent
from tests.world import request, sample

NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Order:
    """What a customer posts, with a key of theirs, or without one."""

    customer: str
    sku: str
    quantity: int = 1
    amount: int = 500
    has_key: bool = True

    @property
    def id(self) -> str:
        """Return the id that an order with a key will have."""
        return str(uuid5(ORDERS, self.customer))

    def request(self, also: Mapping[str, Any] | None = None) -> Request:
        """Return the POST of it, with further fields."""
        body = {
            "customerId": self.customer,
            "sku": self.sku,
            "quantity": self.quantity,
            "amountCents": self.amount,
        }
        headers = {"idempotency-key": self.customer} if self.has_key else {}
        event = request(body={**(also or {}), **body}, headers=headers)
        following = send_again if self.has_key else look_before_sending_again(event)
        return Request("create_order", event, is_promise, following)


def is_promise(sent: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Return whether a response says that the order will end by itself: 202."""
    return bool(response["statusCode"] == 202)


def look_before_sending_again(posted: Mapping[str, Any]) -> Any:
    """Return what a customer without a key does: what the response says.

    One who gets none does not know whether to post again, and does not. One who is not told where
    to look posts again, and one who cannot look looks again.
    """

    def following(sent: Mapping[str, Any], response: Mapping[str, Any] | None) -> Any:
        if response is None or response["statusCode"] not in (404, 503):
            return None
        where = response["headers"].get("Location")
        if where:
            return request("GET", where)
        return sent if response["statusCode"] == 503 and not sent["body"] else posted

    return following


ORDER = Order("CUST-1", "COFFEE", quantity=2)
SOLD_OUT = Order("CUST-1", "OUT-OF-STOCK")
STOCK = {"COFFEE": 3, "TEA": 3, "OUT-OF-STOCK": 0}
LAST = {"LAST": 1}


def scenario(
    name: str,
    *orders: Order,
    stock: Mapping[str, int] = STOCK,
    forged: Sequence[Mapping[str, Any]] = (),
    clocks: Mapping[str, timedelta] | None = None,
    at_once: int = 2,
    also: Mapping[str, Any] | None = None,
    may: Mapping[str, int] | None = None,
    **more: int,
) -> Scenario:
    """Return a scenario of some orders, posted `also` with these fields; `more` may happen."""
    items = [{"sku": sku, "available": units} for sku, units in stock.items()]
    requests = [order.request(also) for order in orders]
    allowed = {**(may or {}), **more}
    return Scenario(name, requests, {"inventory": items}, allowed, forged, clocks or {}, at_once)


def _forgeries(order: Order) -> Iterator[dict[str, Any]]:
    """Yield events of every consumed type: exact ones, and each with one false field."""
    for detail_type in ("OrderCreated", "InventoryReserved", "PaymentCharged", "PaymentFailed"):
        yield forged(detail_type, order)
        lies: dict[str, Any] = {"amountCents": 1, "quantity": 1, "sku": "TEA", "customerId": "YOU"}
        if detail_type != "OrderCreated":
            lies["reservationId"] = NOBODY
        if detail_type == "PaymentCharged":
            lies["paymentId"] = NOBODY
        for name, lie in lies.items():
            yield forged(detail_type, order, **{name: lie})


def forged(detail_type: str, order: Order, **fields: Any) -> dict[str, Any]:
    """Return an event of an order as a forger who knows its fields could publish it."""
    contract = next(c for c in CONTRACTS if c.detail_type == detail_type)
    true = {
        "orderId": order.id,
        "createdAt": format_timestamp(MORNING),
        "traceparent": traceparent(None, otherwise=UUID(order.id)),
        "customerId": order.customer,
        "sku": order.sku,
        "quantity": order.quantity,
        "amountCents": order.amount,
        "reservationId": str(uuid5(UUID(order.id), "reservation")),
        "paymentId": str(uuid5(UUID(order.id), "payment")),
        "reason": "card declined",
    }
    # A field with a default, which the sample has too, is absent: the customer sent none.
    known = json.loads(contract.sample.read_text())["detail"]
    detail = {name: true[name] for name in known if name in true}
    return {**sample(detail_type), "detail": {**detail, **fields}}


# In the order of what they cost: the first are what to run while editing.
SCENARIOS = (
    scenario("sold out", SOLD_OUT, faults=2, duplicates=1),
    scenario("one order", ORDER, faults=2, duplicates=1),
    scenario("a day", ORDER, faults=1, duplicates=1, days=1),
    scenario("lost", ORDER, faults=1, losses=1, duplicates=1),
    scenario("without a key", replace(ORDER, has_key=False), faults=2),
    scenario("sent twice", ORDER, faults=1, resends=1),
    scenario("key of another", ORDER, replace(ORDER, amount=1), faults=1),
    scenario("last unit", Order("CUST-1", "LAST"), Order("CUST-2", "LAST"), stock=LAST, faults=1),
    scenario("swept", ORDER, faults=1, duplicates=1, sweep=1),
    scenario("scheduled sweep", ORDER, losses=1, tick=2, waits=1, lags=1),
    scenario("swept again", ORDER, losses=1, tick=2, waits=2),
    scenario("a fault and a scheduled sweep", ORDER, faults=1, losses=1, tick=2, waits=1),
    scenario(
        "a clock that is ahead",
        ORDER,
        losses=1,
        tick=1,
        waits=1,
        sweep=1,
        clocks={"create_order": timedelta(days=3650)},
    ),
    scenario("forged", ORDER, faults=1, forgeries=1, forged=list(_forgeries(ORDER))),
    scenario("three at once", ORDER, duplicates=2, faults=1, at_once=3),
    scenario("late", ORDER, late=1, faults=1, duplicates=1),
    scenario("late, two", ORDER, late=2),
    scenario("redriven", ORDER, faults=3, redrives=1),
    scenario("reads that lag", ORDER, lags=1, duplicates=1, faults=1),
    scenario("clocks that disagree", ORDER, skews=2, tick=1, waits=1, losses=1),
)


def a_day(seed: int, orders: int = 100) -> Scenario:
    """Return a day of many orders, in which anything may happen, some of it often."""
    dice = random.Random(seed)
    posted = [
        Order(
            f"CUST-{number}",
            dice.choices(["COFFEE", "HOT", "OUT-OF-STOCK"], [5, 4, 1])[0],
            dice.randint(1, 3),
            dice.randint(0, 10_000),
        )
        for number in range(orders)
    ]
    names = ("faults", "losses", "duplicates", "late", "redrives", "tick", "sweep")
    may = dict.fromkeys(names, 10**6)
    stock = {"COFFEE": 1000, "HOT": 12, "OUT-OF-STOCK": 0}
    return scenario(f"day {seed}", *posted, stock=stock, at_once=16, may=may)


# What a mutant of the code is tried in: everything once, in some seconds.
QUICK = (
    scenario("sold out", SOLD_OUT, faults=1),
    scenario("one order", ORDER, faults=1),
    scenario("again", ORDER, duplicates=1),
    scenario("a day", ORDER, faults=1, days=1),
    scenario("lost", ORDER, losses=1),
    scenario("without a key", replace(ORDER, has_key=False), faults=1),
    scenario("sent twice", ORDER, resends=1),
    scenario("key of another", ORDER, replace(ORDER, amount=1)),
    scenario("last unit", Order("CUST-1", "LAST"), Order("CUST-2", "LAST"), stock=LAST),
    scenario("swept", ORDER, faults=1, sweep=1),
    scenario("scheduled sweep", ORDER, losses=1, tick=1, waits=1, lags=1),
    scenario("two sweeps", ORDER, losses=1, tick=2, waits=1, lags=1),
    scenario(
        "a clock that is ahead",
        ORDER,
        losses=1,
        tick=1,
        waits=1,
        clocks={"create_order": timedelta(days=3650)},
    ),
    scenario("forged", ORDER, forgeries=1, forged=list(_forgeries(ORDER))),
    scenario("late", ORDER, late=1),
    scenario("reads that lag", ORDER, lags=1),
)

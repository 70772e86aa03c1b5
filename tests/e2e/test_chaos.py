"""A thousand orders while functions die and events are duplicated: none is lost or doubled."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from contracts import CONTRACTS
from harness.environment import Environment
from harness.orders import Request
from harness.saga import FINAL
from tests.e2e.bus import Bus
from tests.e2e.functions import dying
from tests.e2e.shop import Item, Shop, as_published

SHIPPED, REFUSED, RELEASED = "SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED"
# All randomness comes from this seed, except the timing of the machine.
SEED = int(os.environ.get("CHAOS_SEED", "20261124"))
ORDERS = int(os.environ.get("CHAOS_ORDERS", "1000"))

CUSTOMERS_AT_ONCE = 4
# A container takes longer to start again than a process.
SECONDS_BETWEEN_KILLS = {"processes": 0.25, "containers": 0.75}
SHARE_DUPLICATED = 0.1
SHARE_DECLINED = 0.2
# A customer waits so long before ordering again: most orders end sooner, lost ones never.
WAIT_SECONDS = 1.5

WEIGHTS = {"PLENTY-A": 30, "PLENTY-B": 30, "HOT": 15, "CONTESTED": 15, "EMPTY": 5, "UNKNOWN": 5}
NEXT = {
    "CREATED": {"INVENTORY_RESERVED", REFUSED},
    "INVENTORY_RESERVED": {"PAYMENT_CHARGED", "PAYMENT_FAILED"},
    "PAYMENT_CHARGED": {SHIPPED},
    "PAYMENT_FAILED": {RELEASED},
}
CONSUMED = {
    contract.published.status: contract.detail_type  # type: ignore[attr-defined]
    for contract in CONTRACTS
    if contract.consumers
}


@dataclass
class Tally:
    """What happened, for a line in the summary of the run, also of one that fails."""

    environment: str
    orders: int
    kills: list[str] = field(default_factory=list)
    duplicates: int = 0
    redriven: int = 0
    resumed: int = 0
    lost: int | None = None
    double: int | None = None
    seconds: float = 0

    def __str__(self) -> str:
        return (
            f"chaos on {self.environment}: {self.orders} orders, {len(self.kills)} kills, "
            f"{self.duplicates} duplicates, {self.redriven} redriven, {self.resumed} resumed, "
            f"{_known(self.lost)} lost, {_known(self.double)} double, "
            f"{self.seconds:.0f} s (CHAOS_SEED={SEED})"
        )


@pytest.fixture
def tally(saga: Environment, report_at_the_end: Callable[[object], None]) -> Iterator[Tally]:
    tally = Tally("containers" if saga.images else "processes", ORDERS)
    report_at_the_end(tally)
    started = time.monotonic()
    yield tally
    tally.seconds = time.monotonic() - started


def test_orders_placed_while_functions_die_and_events_are_duplicated_all_end_once(
    saga: Environment, shop: Shop, bus: Bus, tally: Tally
) -> None:
    chance = random.Random(SEED)
    wanted = _orders(chance)
    stock = _stock(wanted)
    shop.stock.set(stock)

    with bus.tapped() as tap:
        between = SECONDS_BETWEEN_KILLS[tally.environment]
        with dying(saga, random.Random(SEED + 1), between) as tally.kills:
            placed = _place_all(shop, bus, wanted, chance, tally)
        tally.redriven, tally.resumed = shop.end(placed)
        published = tap.events()

    stored = {item["orderId"]: item for item in shop.all_stored() if item["sku"] in WEIGHTS}
    tally.lost = sum(stored.get(one, {}).get("status") not in FINAL for one in placed)
    double = _charged_twice(stored, published)
    tally.double = len(double)
    assert (tally.lost, double) == (0, [])
    # Each order was placed once, however often it was sent.
    assert stored.keys() == set(placed)
    assert len(placed) == len(set(placed)) == ORDERS
    assert _off_the_flow(stored) == []
    strayed = {
        order_id: (order, stored[order_id]["status"])
        for order_id, order in zip(placed, wanted, strict=True)
        if stored[order_id]["status"] not in _may_end(order)
    }
    assert strayed == {}
    shipped = Counter[str]()
    for item in stored.values():
        shipped[item["sku"]] += item["quantity"] if item["status"] == SHIPPED else 0
    assert {sku: shop.stock.units(sku) for sku in stock} == {
        sku: units - shipped[sku] for sku, units in stock.items()
    }
    # All who want this one can pay, so that no unit of it comes back: it sells out.
    assert shipped["HOT"] == stock["HOT"]
    assert _published_in_two_ways(published) == {}


def _orders(chance: random.Random) -> list[Request]:
    skus = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=ORDERS)
    return [_order(number, sku, chance) for number, sku in enumerate(skus)]


def _order(number: int, sku: str, chance: random.Random) -> Request:
    declined = sku != "HOT" and chance.random() < SHARE_DECLINED
    return Request(
        customer_id="CUST-DECLINE" if declined else f"CUST-{number}",
        sku=sku,
        quantity=1 if sku == "HOT" else chance.randint(1, 3),
        amount_cents=chance.randint(1, 100_000),
    )


def _stock(wanted: Sequence[Request]) -> dict[str, int]:
    units = Counter[str]()
    for order in wanted:
        units[order.sku] += order.quantity
    return {
        "PLENTY-A": 2 * units["PLENTY-A"],
        "PLENTY-B": 2 * units["PLENTY-B"],
        "HOT": units["HOT"] // 2,
        "CONTESTED": units["CONTESTED"] // 2,
        "EMPTY": 0,
    }


def _may_end(order: Request) -> set[str]:
    paid = RELEASED if order.customer_id == "CUST-DECLINE" else SHIPPED
    match order.sku:
        case "EMPTY" | "UNKNOWN":
            return {REFUSED}
        case "HOT" | "CONTESTED":
            return {REFUSED, paid}
        case _:
            return {paid}


def _place_all(
    shop: Shop, bus: Bus, wanted: Sequence[Request], chance: random.Random, tally: Tally
) -> list[str]:
    placed: list[str] = []

    def buy(numbered: tuple[int, Request]) -> str:
        number, order = numbered
        order_id = shop.place(order, f"chaos-{SEED}-{number}")
        placed.append(order_id)
        if chance.random() < SHARE_DUPLICATED:
            # Of this order, of one in progress, or of one that ended long ago.
            recent = placed[-CUSTOMERS_AT_ONCE:]
            again = chance.choice(recent if chance.random() < 0.5 else placed)
            bus.publish(_published_of(shop.stored(again), chance))
            tally.duplicates += 1
        _await_end(shop, order_id)
        return order_id

    with ThreadPoolExecutor(CUSTOMERS_AT_ONCE) as pool:
        return list(pool.map(buy, enumerate(wanted)))


def _published_of(item: Item, chance: random.Random) -> Item:
    """Choose one of the events that were published of an order so far."""
    statuses = [step["status"] for step in item["history"]]
    return as_published(chance.choice([CONSUMED[one] for one in statuses if one in CONSUMED]), item)


def _await_end(shop: Shop, order_id: str) -> None:
    try:
        shop.reaches(order_id, *FINAL, seconds=WAIT_SECONDS)
    except AssertionError:
        return  # its event was lost, and the sweep will resume it


def _charged_twice(stored: dict[str, Item], published: Sequence[Item]) -> list[str]:
    """Return the orders that were charged other than they should: once if shipped, else never.

    The simulated gateway keeps no book. The evidence of a charge is what was stored and published:
    the step, and one payment of the order's amount.
    """
    payments: dict[str, set[Any]] = {order_id: set() for order_id in stored}
    for event in published:
        if event["detail-type"] == "PaymentCharged":
            detail = event["detail"]
            payments[detail["orderId"]].add((detail["paymentId"], detail["amountCents"]))
    return [
        order_id
        for order_id, item in stored.items()
        if (
            [step["status"] for step in item["history"]].count("PAYMENT_CHARGED"),
            payments[order_id],
        )
        != (
            (1, {(item["paymentId"], item["amountCents"])})
            if item["status"] == SHIPPED
            else (0, set())
        )
    ]


def _off_the_flow(stored: dict[str, Item]) -> list[list[str]]:
    histories = [[step["status"] for step in item["history"]] for item in stored.values()]
    return [
        history
        for history in histories
        if history[0] != "CREATED"
        or history[-1] not in FINAL
        or any(later not in NEXT.get(earlier, ()) for earlier, later in pairwise(history))
    ]


def _published_in_two_ways(published: Sequence[Item]) -> dict[tuple[str, str], list[Item]]:
    """Return the events that were published of one order with different details."""
    variants: dict[tuple[str, str], list[Item]] = {}
    for event in published:
        known = variants.setdefault((event["detail"]["orderId"], event["detail-type"]), [])
        if event["detail"] not in known:
            known.append(event["detail"])
    return {key: details for key, details in variants.items() if len(details) > 1}


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)

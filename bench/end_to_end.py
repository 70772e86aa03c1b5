"""From POST to the terminal status: one order at a time, and under a steady load."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from bench.contestants import Report
from bench.shop import Shop
from bench.spread import Spread, percentile, spread, turns
from harness.errors import UserError
from harness.orders import SCENARIOS

HAPPY = SCENARIOS["happy"]
WARM_UP = 10
ORDERS_PER_SECOND = 5


class EndToEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from POST to the end, and of the functions' processors per order."""

    alone: Spread
    alone_p99: float
    loaded: Spread
    loaded_p99: float
    cpu_ms: float


def measure(
    shops: Sequence[Shop], rounds: int, at_a_time: int, load_seconds: float, report: Report
) -> dict[str, EndToEnd]:
    """Let the shops take orders in turn, one each at a time; and each a load of them by itself."""
    alone: dict[str, list[float]] = {shop.contestant.name: [] for shop in shops}
    loaded: dict[str, list[float]] = {shop.contestant.name: [] for shop in shops}
    spent = dict.fromkeys(alone, 0.0)
    for shop in shops:
        for _ in range(WARM_UP):
            shop.run(HAPPY)
    for turn in range(rounds):
        report(f"Orders one by one, turn {turn + 1} of {rounds}")
        before = [shop.functions_cpu_ms() for shop in shops]
        for in_turn in turns(shops, at_a_time):
            for shop in in_turn:
                alone[shop.contestant.name].append(_happy(shop))
        for shop, spent_before in zip(shops, before, strict=True):
            spent[shop.contestant.name] += shop.functions_cpu_ms() - spent_before
        report(f"Orders under load, turn {turn + 1} of {rounds}")
        for shop in shops:
            loaded[shop.contestant.name] += _load(shop, load_seconds / rounds)
    return {
        name: EndToEnd(
            alone=spread(alone[name]),
            alone_p99=percentile(alone[name], 99),
            loaded=spread(loaded[name]),
            loaded_p99=percentile(loaded[name], 99),
            cpu_ms=spent[name] / len(alone[name]),
        )
        for name in alone
    }


def _happy(shop: Shop) -> float:
    ended = shop.run(HAPPY)
    if ended.status != "SHIPPING_SCHEDULED":
        raise UserError(f"A happy order of {shop.contestant.title} ends as {ended.status}")
    return ended.took_ms


def _load(shop: Shop, seconds: float) -> list[float]:
    """Place orders at their times, however long others take, and return what each took."""
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        placed = []
        for number in range(round(seconds * ORDERS_PER_SECOND)):
            time.sleep(max(0.0, began + number / ORDERS_PER_SECOND - time.monotonic()))
            placed.append(pool.submit(shop.place, HAPPY))
        orders = [one.result() for one in placed]
    return [shop.wait_for(*order).took_ms for order in orders]

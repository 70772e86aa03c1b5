"""A day of many orders, in which chance decides what happens next and what goes wrong."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.saga import FINAL
from tests.simulation.code import Code
from tests.simulation.faults import FAULTS, LOST
from tests.simulation.invariants import Judge
from tests.simulation.machine import Machine
from tests.simulation.state import MORNING, TRIES, Budget, Delivery, Move, Order, State

ORDERS = 100
SEED_STOCK = {"COFFEE": 1000, "HOT": 12, "OUT-OF-STOCK": 0}
SKEW_SECONDS = 30
AT_ONCE = 16
JUDGED_EVERY = 20  # steps; what is broken stays broken


@dataclass
class Day:
    """What happened, and what did not hold."""

    seed: int
    steps: int
    seconds: float
    faults: Counter[str]
    failed: int
    swept: int
    ends: Counter[str]
    broken: tuple[str, ...]


def live(seed: int, code: Code, orders: int = ORDERS) -> Day:
    """Live through one day: everything in it follows from the seed."""
    begun = time.perf_counter()
    dice = random.Random(seed)

    def clock() -> datetime:
        return MORNING + timedelta(seconds=dice.uniform(-SKEW_SECONDS, SKEW_SECONDS))

    machine = Machine(code, [], SEED_STOCK, Budget(at_once=AT_ONCE), clock=clock)
    judge, day = Judge(machine), Day(seed, 0, 0, Counter(), 0, 0, Counter(), ())
    state, to_come = machine.start, [_order(dice, number) for number in range(orders)]
    while to_come or state.queue or state.running:
        if to_come and dice.random() < 0.2:
            state = machine.post(state, to_come.pop())
        elif state.published and dice.random() < 0.02:
            state = _deliver_again(machine, state, dice)
            day.faults["delivered again"] += 1
        elif dice.random() < 0.002:
            state = state._replace(queue=(*state.queue, machine.sweep(all_open=True)))
            day.faults["swept early"] += 1
        elif state.queue and (not state.running or _room(state, dice)):
            state = machine.after(state, Move("start", dice.choice(state.queue)))
        elif state.running:
            state = _proceed(machine, state, dice, day)
        day.steps += 1
        if day.steps % JUDGED_EVERY == 0:
            day.broken = tuple(judge.judge(state))
            if day.broken:
                break
    if not day.broken:
        state = _evening(machine, state, day)
        day.broken = tuple(judge.judge(state)) or _not_ended(machine, state)
    if not day.broken:
        day.broken = _replay(machine, state)
    day.ends = Counter(item["status"]["S"] for item in _orders(machine, state))
    day.seconds = time.perf_counter() - begun
    return day


def _order(dice: random.Random, number: int) -> Order:
    sku = dice.choices(["COFFEE", "HOT", "OUT-OF-STOCK"], [5, 4, 1])[0]
    customer = "CUST-DECLINE" if dice.random() < 0.25 else "CUST"
    return Order(f"{customer}-{number}", sku, dice.randint(1, 3), dice.randint(0, 10_000))


def _room(state: State, dice: random.Random) -> bool:
    return len(state.running) < AT_ONCE and dice.random() < 0.5


def _proceed(machine: Machine, state: State, dice: random.Random, day: Day) -> State:
    running = dice.choice(state.running)
    kind = machine.kind(running)
    fault = ""
    if dice.random() < 0.06:
        fault = dice.choice([*FAULTS[kind], *([LOST] if kind == "events" else [])])
        day.faults[fault] += 1
    return machine.after(state, Move("answer", running, fault))


def _deliver_again(machine: Machine, state: State, dice: random.Random) -> State:
    event = dice.choice(state.published)
    again = tuple(Delivery(service, event, TRIES) for service in machine.consumers(state, event))
    return state._replace(queue=tuple(sorted((*state.queue, *again))))


def _evening(machine: Machine, state: State, day: Day) -> State:
    """Redrive what failed, and let the sweep look for stalled orders."""
    day.failed = len(state.failed)
    state = machine.settle(state._replace(queue=tuple(sorted(state.failed)), failed=()))
    day.swept = sum("openShard" in item for item in _orders(machine, state))
    return machine.swept(state)


def _not_ended(machine: Machine, state: State) -> tuple[str, ...]:
    open_ones = Counter(item["status"]["S"] for item in _orders(machine, state))
    return tuple(
        f"{n} orders are {status}" for status, n in open_ones.items() if status not in FINAL
    )


def _replay(machine: Machine, state: State) -> tuple[str, ...]:
    """Deliver the whole day again: nothing may come of it."""
    everything = tuple(
        Delivery(service, event, TRIES)
        for event in state.published
        for service in machine.consumers(state, event)
    )
    after = machine.settle(state._replace(queue=tuple(sorted(everything))))
    if (after.items, after.books) != (state.items, state.books):
        return ("I12 the day was replayed, and something came of it",)
    return ()


def _orders(machine: Machine, state: State) -> list[dict[str, dict[str, str]]]:
    return [machine.items[item] for table, _, item in state.items if table == "orders"]

"""A day of many requests, in which chance decides what happens next and what goes wrong."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from explorer.app import Scenario
from explorer.exploration import Exploration, Release
from explorer.invariants import Judge
from explorer.machine import Machine, parted
from explorer.state import Move, State
from explorer.view import View

JUDGED_EVERY = 20  # steps; what is broken stays broken
# How often, of all steps, something goes wrong with a call, and how often something comes unasked.
FAULTY = 0.06
UNASKED = {"duplicates": 0.02, "redrives": 0.005}
TRIGGERED = 0.002


@dataclass
class Day:
    """What happened, and what did not hold; `ends` counts the statuses of sagas at the end."""

    seed: int
    steps: int = 0
    seconds: float = 0.0
    happened: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    broken: tuple[str, ...] = ()


def live(exploration: Exploration, release: Release, scenario: Scenario, seed: int) -> Day:
    """Live through one day: everything in it follows from the seed."""
    begun, dice, day = time.perf_counter(), random.Random(seed), Day(seed)
    machine = Machine(exploration, release, scenario)
    judge, state = Judge(machine), machine.start
    while moves := list(machine.going_on(state)):
        move = _choose(moves, dice) if dice.random() > _unasked(machine) else None
        if move is None:
            move = _from_outside(machine, state, dice) or _choose(moves, dice)
        what = parted(move.how)[0] if move.what == "call" else move.what
        if what:
            day.happened[what] += 1
        state = machine.after(state, move)
        day.steps += 1
        if day.steps % JUDGED_EVERY == 0 and (broken := tuple(judge.judge(state))):
            day.broken = broken
            break
    day.failed = len(state.failed)
    if not day.broken:
        state = machine.redriven(state)
        day.broken = tuple(judge.judge(state))
        if sweep := exploration.sweep:
            state = machine.triggered(state, sweep.trigger, sweep.after(View(machine, state)))
        day.broken += tuple(judge.judge(state)) + _not_ended(machine, state)
    if not day.broken:
        day.broken = _deliver_all_again(machine, state)
    if saga := machine.saga:
        sagas = View(machine, state).items(saga.table).values()
        day.ends = Counter(str(item[saga.status]) for item in sagas)
    day.seconds = time.perf_counter() - begun
    return day


def _unasked(machine: Machine) -> float:
    return sum(UNASKED.values()) + TRIGGERED * len(machine.exploration.triggers)


def _choose(moves: list[Move], dice: random.Random) -> Move:
    well = [one for one in moves if one.what != "call" or not parted(one.how)[0]]
    wrong = [one for one in moves if one.what == "call" and parted(one.how)[0]]
    return dice.choice(wrong if wrong and (not well or dice.random() < FAULTY) else well)


def _from_outside(machine: Machine, state: State, dice: random.Random) -> Move | None:
    chances: Mapping[str, float] = {**UNASKED, **dict.fromkeys(machine.exploration.triggers, 0.002)}
    [name] = dice.choices(list(chances), list(chances.values()))
    moves = [one for one in machine.from_outside(state) if one.what == name]
    return dice.choice(moves) if moves else None


def _not_ended(machine: Machine, state: State) -> tuple[str, ...]:
    if (saga := machine.saga) is None:
        return ()
    sagas = View(machine, state).items(saga.table).values()
    left = Counter(str(item[saga.status]) for item in sagas if saga.is_open(item))
    return tuple(f"{count} sagas are {status}" for status, count in left.items())


def _deliver_all_again(machine: Machine, state: State) -> tuple[str, ...]:
    """Deliver the whole day again: nothing may come of it."""
    again = state
    for message in state.published:
        again = machine.deliver(again, message)
    after = machine.settle(again)
    if (after.rows, after.acts) != (state.rows, state.acts):
        return ("the day was delivered again, and something came of it",)
    return ()

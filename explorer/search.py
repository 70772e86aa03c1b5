"""Try everything that can happen within bounds, shortest schedule first."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from explorer.machine import Machine
from explorer.state import Move, State

ROOT = -1
ENDLESS = "it goes round in a circle: what follows on this state leads to it again"
# So many states are looked at between two looks at how far it is: less than a second's.
COUNTED = 500


class Judges(Protocol):
    """Judges the states of a machine."""

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what does not hold in this state: it ends the search."""

    def noted(self, state: State) -> tuple[str, ...]:
        """Return what is worth a note about this state, of which the first is kept."""


@dataclass(frozen=True)
class Schedule:
    """The shortest way to a state in which something does not hold.

    choices: the number of each move among those that can be made, in order.
    """

    broken: tuple[str, ...]
    choices: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return the choices as a short text: `0.2.11`."""
        return ".".join(map(str, self.choices))


@dataclass
class Explored:
    """What was tried: distinct states, steps between them, schedules from beginning to rest.

    kinds: the shortest schedule to each distinct text of what does not hold, if all were wanted.
    """

    states: int
    steps: int
    schedules: int
    seconds: float
    found: Schedule | None = None
    note: Schedule | None = None
    kinds: Mapping[str, Schedule] = field(default_factory=dict)
    megabytes: float = 0.0
    transitions: frozenset[tuple[str, str | None, str | None]] = frozenset()
    called: frozenset[tuple[str, str, str]] = frozenset()


class TooManyStatesError(RuntimeError):
    """There are more states than a search may have."""


def explore(
    machine: Machine,
    judge: Judges,
    limit: int | None = None,
    count: Callable[[int], None] = lambda states: None,
    *,
    all_kinds: bool = False,
) -> Explored:
    """Try everything, until something does not hold or `limit` states were seen.

    all_kinds: go on after that, but not from the states in which something does not hold: so each
        kind is found by itself, and not as what follows from another.
    `count` is told now and then how many states are known. Raises TooManyStatesError for more
    states than the limit.
    """
    collecting = gc.isenabled()
    gc.disable()  # nothing here is in a circle, and to look for one takes a third of the time
    try:
        return _explore(machine, judge, limit, count, all_kinds)
    finally:
        if collecting:
            gc.enable()


def _explore(
    machine: Machine,
    judge: Judges,
    limit: int | None,
    count: Callable[[int], None],
    all_kinds: bool,
) -> Explored:
    begun = time.perf_counter()
    numbers: dict[State, int] = {machine.start: 0}
    states = [machine.start]
    came_from: list[tuple[int, int]] = [(ROOT, ROOT)]
    follows: list[tuple[int, ...]] = []
    found = note = None
    kinds: dict[str, Schedule] = {}
    for number, state in enumerate(states):  # grows as it is walked: breadth first
        if number % COUNTED == 0:
            count(len(states))
        if broken := judge.broken(state):
            schedule = Schedule(broken, _choices(came_from, number))
            found = found or schedule
            if not all_kinds:
                break
            for text in broken:
                kinds.setdefault(text, schedule)
            follows.append(())
            continue
        if note is None and (noted := judge.noted(state)):
            note = Schedule(noted, _choices(came_from, number))
        next_ones = []
        for choice, move in enumerate(machine.moves(state)):
            after = machine.after(state, move)
            known = numbers.get(after)
            if known is None:
                known = numbers[after] = len(states)
                states.append(after)
                came_from.append((number, choice))
            next_ones.append(known)
        follows.append(tuple(next_ones))
        if limit and len(states) > limit:
            raise TooManyStatesError(f"there are more than {limit:,} states to explore")
    schedules = 0
    if found is None:
        schedules, circle = _schedules(follows)
        if circle is not None:
            found = Schedule((ENDLESS,), _choices(came_from, circle))
    return Explored(
        states=len(states),
        steps=sum(map(len, follows)),
        schedules=schedules,
        seconds=time.perf_counter() - begun,
        found=found,
        note=note,
        kinds=kinds,
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        transitions=frozenset(machine.transitions),
        called=frozenset(machine.called),
    )


def replay(machine: Machine, choices: Sequence[int]) -> Iterator[tuple[Move, State]]:
    """Yield each move of a schedule, and the state after it.

    Raises IndexError when the schedule does not fit.
    """
    state = machine.start
    for choice in choices:
        move = list(machine.moves(state))[choice]
        state = machine.after(state, move)
        yield move, state


def _choices(came_from: list[tuple[int, int]], number: int) -> tuple[int, ...]:
    choices = []
    while number:
        number, choice = came_from[number]
        choices.append(choice)
    return tuple(reversed(choices))


def _schedules(follows: list[tuple[int, ...]]) -> tuple[int, int | None]:
    """Count the ways from the first state to those that nothing follows.

    Return also the first state that leads to itself again, where there is one: None as a rule.
    """
    waiting = [0] * len(follows)
    for next_ones in follows:
        for after in next_ones:
            waiting[after] += 1
    counts = [0] * len(follows)
    counts[0], ready, ends = 1, [0], 0
    while ready:
        number = ready.pop()
        if not follows[number]:
            ends += counts[number]
        for after in follows[number]:
            counts[after] += counts[number]
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return ends, _circle(follows, {one for one, left in enumerate(waiting) if left})


def _circle(follows: list[tuple[int, ...]], among: set[int]) -> int | None:
    """Return the first of these states from which a way leads back to it."""
    for number in sorted(among):
        seen, reached = set[int](), [number]
        while reached:
            for after in follows[reached.pop()]:
                if after == number:
                    return number
                if after not in seen:
                    seen.add(after)
                    reached.append(after)
    return None

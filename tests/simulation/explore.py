"""Try everything that can happen within bounds, shortest schedule first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulation.machine import Machine
from tests.simulation.narration import Narration
from tests.simulation.state import Move, State


class Judge(Protocol):
    """Judges the states of a machine."""

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what does not hold in this state: it ends the exploration."""

    def noted(self, state: State) -> tuple[str, ...]:
        """Return what is worth a note about this state, of which the first is kept."""


@dataclass
class Story:
    """What went wrong, and the shortest schedule that leads there."""

    broken: tuple[str, ...]
    moves: list[Move] = field(default_factory=list)
    schedule: list[int] = field(default_factory=list)

    def lines(self, machine: Machine, *, errors: bool = False) -> Iterator[str]:
        """Narrate it, also the errors that handlers raise if these are wanted."""
        narration = Narration(machine)
        state = machine.start
        for number, move in enumerate(self.moves, 1):
            yield f"{number:>3}. {narration.move(move)}"
            machine.error = None
            state = machine.after(state, move)
            if machine.error and errors:
                yield f"     {type(machine.error).__name__}: {machine.error}"
        for broken in self.broken:
            yield f"  => {broken}"


@dataclass
class Explored:
    """What was tried: distinct states, steps between them, schedules from beginning to rest."""

    states: int
    steps: int
    schedules: int
    seconds: float
    story: Story | None
    note: Story | None = None


def explore(machine: Machine, judge: Judge, limit: int | None = None) -> Explored:
    """Try everything, until something does not hold or `limit` states were seen."""
    begun = time.perf_counter()
    note: Story | None = None
    numbers: dict[State, int] = {machine.start: 0}
    states = [machine.start]
    came_from: list[tuple[int, int]] = [(-1, -1)]
    follows: list[list[int]] = []
    for number, state in enumerate(states):  # grows as it is walked: breadth first
        broken = judge.broken(state)
        if broken:
            story = _story(machine, states, came_from, number, broken)
            seconds = time.perf_counter() - begun
            return Explored(len(states), sum(map(len, follows)), 0, seconds, story, note)
        if note is None and (noted := judge.noted(state)):
            note = _story(machine, states, came_from, number, noted)
        next_ones = []
        for choice, move in enumerate(machine.moves(state)):
            after = machine.after(state, move)
            if after not in numbers:
                numbers[after] = len(states)
                states.append(after)
                came_from.append((number, choice))
            next_ones.append(numbers[after])
        follows.append(next_ones)
        if limit and len(states) > limit:
            raise RuntimeError(f"there are more than {limit:,} states to explore")
    seconds = time.perf_counter() - begun
    schedules = _schedules(follows)
    return Explored(len(states), sum(map(len, follows)), schedules, seconds, None, note)


def replay(machine: Machine, judge: Judge, schedule: Sequence[int]) -> Story:
    """Replay a schedule: the number of each move among those that can be made."""
    state, story = machine.start, Story(())
    for choice in schedule:
        move = list(machine.moves(state))[choice]
        state = machine.after(state, move)
        story.moves.append(move)
    story.schedule = list(schedule)
    story.broken = judge.broken(state)
    return story


def _story(
    machine: Machine,
    states: list[State],
    came_from: list[tuple[int, int]],
    number: int,
    broken: tuple[str, ...],
) -> Story:
    schedule: list[int] = []
    moves: list[Move] = []
    while number:
        number, choice = came_from[number]
        schedule.insert(0, choice)
        moves.insert(0, list(machine.moves(states[number]))[choice])
    return Story(broken, moves, schedule)


def _schedules(follows: list[list[int]]) -> int:
    """Count the schedules from the first state to those that nothing follows; no circles exist."""
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
    return ends

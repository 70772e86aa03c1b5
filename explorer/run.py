"""Explore several scenarios at once, on as many processors as there are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from explorer.app import Scenario
from explorer.exploration import Exploration, Release
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.search import Explored, TooManyStatesError, explore
from explorer.story import Story, tell

# What a forked process explores: it shares the loaded handlers, and no argument has to be pickled.
_tasks: Sequence[Callable[[], Result]] = ()
# So many seconds are between two looks at how far the searches are.
_POLLED = 0.2
_ENDINGS = {signal.SIGINT, signal.SIGTERM}


@dataclass(frozen=True)
class Result:
    """What the exploration of one scenario found; the story is of what does not hold, if any.

    files: those of the modules of the functions that ran: what it found depends on them.
    kinds: the shortest story of each kind, by its text, if all were wanted.
    """

    scenario: str
    explored: Explored
    story: Story | None = None
    files: frozenset[Path] = frozenset()
    kinds: Mapping[str, Story] = field(default_factory=dict)


def explore_one(
    exploration: Exploration,
    release: Release,
    scenario: Scenario,
    limit: int | None = None,
    count: Callable[[int], None] = lambda states: None,
    *,
    all_kinds: bool = False,
) -> Result:
    """Explore one scenario; `count` is told now and then how many states are known."""
    machine = Machine(exploration, release, scenario)
    try:
        explored = explore(machine, Judge(machine), limit, count, all_kinds=all_kinds)
    except TooManyStatesError as error:
        raise TooManyStatesError(f"{scenario.name}: {error}") from None
    story = tell(machine, explored.found) if explored.found else None
    kinds = {text: tell(machine, schedule) for text, schedule in explored.kinds.items()}
    functions = {machine.function_of(one.deliveries[0]) for one in machine.running.values}
    return Result(scenario.name, explored, story, release.files(functions), kinds)


def explore_all(
    exploration: Exploration,
    release: Release,
    scenarios: Sequence[Scenario],
    processes: int | None = None,
    limit: int | None = None,
    progress: Callable[[Mapping[str, int]], None] | None = None,
    *,
    all_kinds: bool = False,
) -> Iterator[Result]:
    """Yield what each scenario's exploration found, as soon as it is known.

    The last are explored first: scenarios are listed cheapest first. `progress` is told some times
    a second how many states are known of each that is being explored.
    """
    counts = multiprocessing.RawArray("Q", len(scenarios))
    own = os.getpid()

    def meanwhile() -> None:
        known = zip(scenarios, counts, strict=True)
        if progress:
            progress({scenario.name: states for scenario, states in known if states})

    def task(place: int) -> Result:
        def count(states: int) -> None:
            counts[place] = states
            if os.getpid() == own:
                meanwhile()
            elif os.getppid() != own:  # nobody waits for what is found here
                os._exit(1)

        try:
            return explore_one(
                exploration, release, scenarios[place], limit, count, all_kinds=all_kinds
            )
        finally:
            counts[place] = 0

    tasks = [partial(task, place) for place in reversed(range(len(scenarios)))]
    yield from in_parallel(tasks, processes, meanwhile)


def in_parallel(
    tasks: Sequence[Callable[[], Result]],
    processes: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield the results of tasks, each of which runs in a process of its own, as they come."""
    global _tasks
    processes = min(processes or os.cpu_count() or 1, len(tasks))
    if processes < 2:
        yield from (task() for task in tasks)
        return
    _tasks = tasks
    fork = multiprocessing.get_context("fork")
    with endings_held():
        pool = fork.Pool(processes, end_quietly, maxtasksperchild=1)
    with pool:
        results = pool.imap_unordered(_run, range(len(tasks)), chunksize=1)
        left = len(tasks)
        while left:
            try:
                result = results.next(timeout=_POLLED)
            except multiprocessing.TimeoutError:
                meanwhile()
                continue
            left -= 1
            yield result
    _tasks = ()


def _run(number: int) -> Result:
    return _tasks[number]()


@contextmanager
def endings_held() -> Iterator[None]:
    """Let processes begin that no signal ends before they are ready.

    It would end them in a traceback, by what they inherit. So do those that threads begin later.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_quietly() -> None:
    """Let the process that waits for the results end this one: a terminal interrupts all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDINGS)

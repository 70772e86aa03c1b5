"""The page docs/reliability.md: written from what the explorations found, never by hand."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.simulation.code import Code
from tests.simulation.explore import Explored, explore
from tests.simulation.guards import GUARDS, Caught, Guard, hunt
from tests.simulation.machine import LOST, Machine
from tests.simulation.matrix import fill
from tests.simulation.scenarios import SCENARIOS, Scenario

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
FAULTS = (
    "crash before",
    "crash after",
    "timed out",
    "sent twice",
    "throttled",
    "conflict",
    "unreachable",
    "refused entry",
    LOST,
)
TOLD = 6  # stories that the page tells in full

HEAD = """# What was tried to break it

Written by `make reliability`; a test fails when it no longer says what the code does.

The services' real handlers, down to a client's call, run here in a world of memory that can stop
each of them at every call, let the call fail in every way that it can, start another delivery in
between, and go back to try the next thing. A state is everything stored, waiting, half done or
written in a partner's books. All of them within the bounds named are visited, and after every
step it is checked that stock adds up, that money moves once and only for what is shipped, that
orders move along the state machine, that the same event is always the same bytes, and that nothing
is said that is not stored. Where nothing more is under way, every order must have ended or be in a
failure queue; and one sweep, or one redrive, must end it. In memory only the AWS calls are played:
a test compares that play with the emulator's answers.
"""

EXPLORED = """## Explored

Two deliveries run at once. A fault is any failure of any call, as in the last table; a loss is an
event that the bus accepts and never delivers; a duplicate is any event said before, delivered again
at any time; a forgery is any event of any type, exact or with one field that lies, at any time; a
sweep is one at any time besides. Ways are the different orders in which it can all happen.

"""

GUARDED = """## What each guard is worth

Each guard was taken out of the source by itself, and the explorations run again: in {count} of {of}
something did not hold then. I1 to I12 are what must hold: `tests/simulation/invariants.py`.

"""

MATRIX = """## Each call, each failure

What becomes of an order when one call fails and nobody lifts a finger. *Tried again* is Lambda's
own second try of an event; *goes on* is that the handler itself, or what happened before, is
enough; *nobody hears it* is an order that has ended, whose last event no service here waits for.

"""

STORIES = """## The shortest way to each failure

Without the guard named, this is all that it takes. The last line of each tells it again.

"""


@functools.cache
def as_it_is() -> Code:
    """Answer the code with all its guards."""
    return Code()


@functools.cache
def explored(scenario: str) -> tuple[Machine, Explored]:
    """Explore a scenario, once."""
    [chosen] = [one for one in SCENARIOS if one.name == scenario]
    machine = chosen.machine(as_it_is())
    return machine, explore(machine)


@functools.cache
def caught(guard: str) -> Caught | None:
    """Look for what happens without a guard, once."""
    [chosen] = [one for one in GUARDS if one.name == guard]
    return hunt(chosen)


def write() -> Iterator[str]:
    """Yield the page's parts."""
    yield HEAD
    yield _explorations()
    yield _guards()
    yield _matrix()
    yield _stories()


def without_seconds(text: str) -> str:
    """Answer a page without what differs from one run to the next."""
    return re.sub(r"\b\d+\.\d s\b", "_ s", text)


def _explorations() -> str:
    rows = [
        "| scenario | may go wrong | states | steps | ways | took |",
        "|---|---|--:|--:|--:|--:|",
    ]
    states, seconds = 0, 0.0
    for scenario in SCENARIOS:
        _, found = explored(scenario.name)
        states, seconds = states + found.states, seconds + found.seconds
        rows.append(
            f"| {scenario.name} | {scenario.bounds} | {found.states:,} | {found.steps:,} "
            f"| {found.schedules:.1e} | {found.seconds:.1f} s |"
        )
    rows.append(f"| **all** | | **{states:,}** | | | **{seconds:.1f} s** |")
    return EXPLORED + "\n".join(rows) + "\n"


def _guards() -> str:
    rows = ["| without this guard | this happens | in | after |", "|---|---|---|--:|"]
    count = 0
    for guard in GUARDS:
        found = caught(guard.name)
        if found is None or found.explored.story is None:
            rows.append(f"| {guard.name} | **nothing: it is idle, or not explored** | | |")
            continue
        count += 1
        story = found.explored.story
        rows.append(
            f"| {guard.name} | {story.broken[0]} | {found.scenario.name} "
            f"| {len(story.moves)} steps |"
        )
    return GUARDED.format(count=count, of=len(GUARDS)) + "\n".join(rows) + "\n"


def _matrix() -> str:
    rows = [f"| call | {' | '.join(FAULTS)} |", f"|---|{'---|' * len(FAULTS)}"]
    for (service, call), cells in fill(as_it_is()).items():
        told = " | ".join(cells.get(fault, "") for fault in FAULTS)
        rows.append(f"| `{service}` {call} | {told} |")
    return MATRIX + "\n".join(rows) + "\n"


def _stories() -> str:
    told = [_story(guard, found) for guard in GUARDS if (found := caught(guard.name))]
    return STORIES + "\n".join(told)


def _story(guard: Guard, found: Caught) -> str:
    story = found.explored.story
    assert story is not None
    lines = "\n".join(story.lines(found.machine))
    schedule = ".".join(map(str, story.schedule))
    return (
        f"<details><summary>{guard.name}</summary>\n\n```text\n{lines}\n```\n\n```sh\n"
        f"{command(found.scenario, schedule, guard)}\n```\n</details>\n"
    )


def command(scenario: Scenario, schedule: str, guard: Guard | None = None) -> str:
    """Answer what to type to see a schedule again."""
    without = f' WITHOUT="{guard.name}"' if guard else ""
    return f'make story SCENARIO="{scenario.name}" SCHEDULE={schedule}{without}'

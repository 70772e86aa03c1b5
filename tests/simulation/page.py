"""docs/reliability.md and its stories: written from what the explorations found."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from tests.simulation.code import Code
from tests.simulation.explore import Explored, explore
from tests.simulation.faults import LOST
from tests.simulation.guards import GUARDS, Caught, Guard, hunt
from tests.simulation.invariants import Judge
from tests.simulation.machine import Machine
from tests.simulation.matrix import fill
from tests.simulation.scenarios import SCENARIOS, Scenario

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE, STORIES_PAGE = DOCS / "reliability.md", DOCS / "reliability-stories.md"
COLUMNS = (
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

HEAD = """# Reliability: what was tried to break it

Written by `make reliability`. A test fails when this page is out of date.

The services' real handlers, down to a client's call, run in a simulated world. It can stop each
handler at every call, let the call fail in every way, start another delivery in between, and go
back to try the next thing. A state is everything that is stored, queued, half done, or written in a
partner's books. Every state within the bounds below is visited, and after every step the
invariants are checked: stock adds up; money moves once, and only for what is shipped; orders move
along the state machine; the same event always has the same bytes; nothing is published that is not
stored. At rest, every order has ended or is in a failure queue, and one sweep or one redrive ends
it. Only the AWS calls are simulated; a test compares the simulation with the emulator.
"""

EXPLORED = """## Explored

Two deliveries run at once. A *fault* is any failure of any call (last table). A *loss* is an event
that the bus accepts and never delivers. A *duplicate* is any published event, delivered again at
any time. A *forgery* is an event of any type, exact or with one false field, at any time. A *sweep*
is one of all open orders, by a person; a *tick* is a run by the schedule, also two at once; a
*wait* is five minutes. In a *lag* the index of open orders stops following the orders, for as long
as it likes. When a *day* passes, the provider and the carrier forget their idempotency keys.
*Schedules* counts the different orders in which it can all happen.

"""

GUARDED = """## What each guard prevents

Each guard was removed from the source by itself, and the explorations run again: without {count} of
{of} guards an invariant fails. I1 to I14 are the invariants: `tests/simulation/invariants.py`. The
shortest story of each failure is on [a page of its own](reliability-stories.md).

"""

MATRIX = """## Each call, each fault

What becomes of an order when one call fails and no person intervenes. *Tried again* is Lambda's own
second try of an event. *Continues* means that the handler itself, or what happened before, is
enough. *No consumer* is the last event of an order that has ended.

"""

STORIES = """# Reliability: the shortest story of each failure

Written by `make reliability`, with [the tables](reliability.md). Without the guard named, this is
what happens. The command below each story replays it.

"""


@functools.cache
def as_it_is() -> Code:
    """Return the code with all its guards."""
    return Code()


@functools.cache
def explored(scenario: str) -> tuple[Machine, Explored]:
    """Explore a scenario, once."""
    [chosen] = [one for one in SCENARIOS if one.name == scenario]
    machine = chosen.machine(as_it_is())
    return machine, explore(machine, Judge(machine))


@functools.cache
def caught(guard: str) -> Caught | None:
    """Look for what happens without a guard, once."""
    [chosen] = [one for one in GUARDS if one.name == guard]
    return hunt(chosen)


def pages() -> dict[Path, str]:
    """Return both pages and their texts."""
    return {
        PAGE: "\n".join([HEAD, _explorations(), _guards(), _matrix()]),
        STORIES_PAGE: _stories(),
    }


def without_seconds(text: str) -> str:
    """Return a page without what differs between runs."""
    return re.sub(r"\b\d+\.\d s\b", "_ s", text)


def _explorations() -> str:
    rows = [
        "| scenario | may go wrong | states | steps | schedules | took |",
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
    rows = [f"| call | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for (service, call), cells in fill(as_it_is()).items():
        outcomes = " | ".join(cells.get(fault, "") for fault in COLUMNS)
        rows.append(f"| `{service}` {call} | {outcomes} |")
    return MATRIX + "\n".join(rows) + "\n"


def _stories() -> str:
    stories = [_story(guard, found) for guard in GUARDS if (found := caught(guard.name))]
    return STORIES + "\n".join(stories)


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
    """Return the command that replays a schedule."""
    without = f' WITHOUT="{guard.name}"' if guard else ""
    return f'make story SCENARIO="{scenario.name}" SCHEDULE={schedule}{without}'

"""docs/reliability.md and its stories: written from what the explorations found."""

from __future__ import annotations

import re
from pathlib import Path

from explorer.app import Scenario
from explorer.faults import BUDGETS, LOST
from tests.simulation import explored
from tests.simulation.guards import GUARDS, caught
from tests.simulation.matrix import fill
from tests.simulation.scenarios import SCENARIOS

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
    "refused",
    LOST,
)

HEAD = """# Reliability: what was tried to break it

Written by `make reliability`. A test fails when this page is out of date.

The services' real handlers run in a world in memory, by [the explorer](../explorer/README.md). It
stops each handler at every call that it makes, lets the call fail in every way, starts another
delivery in between, and goes back to try the next thing. A state is everything that is stored,
queued, half done, or written in a partner's books. Every state within the bounds below is visited,
and in each the invariants are checked. Some follow from the flow that the services declare: an
order takes only declared steps, what is published is stored, the same event has the same bytes, no
partner does a thing twice, no event fails by itself; at rest every order has ended or waits in a
failure queue, and one sweep or one redrive ends it. The others are this domain's: stock, money and
goods, in `tests/simulation/domain.py`. What the world assumes, and what it leaves out, is in
[exploration.md](exploration.md).
"""

EXPLORED = """## Explored

At every step, the payment provider answers in every way that it can. *Schedules* counts the
different orders in which it can all happen. What may go wrong is, each so many times at any moment:

{words}

"""

GUARDED = """## What each guard prevents

Each guard was removed from the source by itself, and small scenarios explored until an invariant
failed. `make mutants` finds all guards; these have a name. The shortest story of each failure is on
[a page of its own](reliability-stories.md).

"""

STORIES = """# Reliability: the shortest story of each failure

Written by `make reliability`, with [the tables](reliability.md). Without the guard named, this is
what happens.

"""

MATRIX = """## Each call, each fault

What becomes of an order when one call fails and no person intervenes. *Tried again* is Lambda's own
second try of an event. *Continues* means that the handler itself, or what happened before, is
enough. *No consumer* is the last event of an order that has ended.

"""


def pages() -> dict[Path, str]:
    """Return both pages and their texts."""
    return {
        PAGE: "\n".join([HEAD, _explorations(), _guards(), _matrix()]),
        STORIES_PAGE: STORIES + "\n".join(map(_story, GUARDS)),
    }


def without_seconds(text: str) -> str:
    """Return a page without what differs between runs."""
    return re.sub(r"\b\d+\.\d s\b", "_ s", text)


def bounds(scenario: Scenario) -> str:
    """Return in words what may go wrong in a scenario."""
    plural = {"losses": "loss", "forgeries": "forgery", "late": "late"}
    words = []
    for name, count in scenario.may.items():
        one = plural.get(name, name.removesuffix("s"))
        many = name if name in BUDGETS else f"{name}s"
        words.append(f"{count} {one if count == 1 else many}")
    if scenario.at_once > 2:
        words.append(f"{scenario.at_once} at once")
    return ", ".join(words)


def _explorations() -> str:
    rows = [
        "| scenario | may go wrong | states | steps | schedules | took |",
        "|---|---|--:|--:|--:|--:|",
    ]
    states, seconds = 0, 0.0
    for scenario in SCENARIOS:
        found = explored.results()[scenario.name].explored
        states, seconds = states + found.states, seconds + found.seconds
        rows.append(
            f"| {scenario.name} | {bounds(scenario)} | {found.states:,} | {found.steps:,} "
            f"| {found.schedules:.1e} | {found.seconds:.1f} s |"
        )
    rows.append(f"| **all** | | **{states:,}** | | | **{seconds:.1f} s** |")
    triggers = {name: one.words for name, one in explored.this().triggers.items()}
    words = "\n".join(f"- *{name}*: {word}" for name, word in {**BUDGETS, **triggers}.items())
    return EXPLORED.format(words=words) + "\n".join(rows) + "\n"


def _guards() -> str:
    rows = ["| without this guard | this happens | in | after |", "|---|---|---|--:|"]
    for guard in GUARDS:
        found = caught(guard)
        if found is None or found.story is None:
            rows.append(f"| {guard} | **nothing: it is idle, or not explored** | | |")
            continue
        rows.append(
            f"| {guard} | {found.story.broken[0]} | {found.scenario} "
            f"| {len(found.story.steps)} steps |"
        )
    return GUARDED + "\n".join(rows) + "\n"


def _story(guard: str) -> str:
    found = caught(guard)
    lines = "\n".join(found.story.lines(errors=True, places=True)) if found and found.story else ""
    return f"<details><summary>{guard}</summary>\n\n```text\n{lines}\n```\n</details>\n"


def _matrix() -> str:
    rows = [f"| call | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for (service, call), cells in fill(explored.this(), explored.release()).items():
        outcomes = " | ".join(cells.get(fault, "") for fault in COLUMNS)
        rows.append(f"| `{service}` {call} | {outcomes} |")
    return MATRIX + "\n".join(rows) + "\n"

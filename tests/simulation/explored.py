"""What was explored in this process: each thing once, however many tests ask for it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from explorer.chance import Day, live
from explorer.exploration import Exploration, Release
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.run import Result, explore_all
from explorer.search import explore
from tests.simulation.saga import exploration
from tests.simulation.scenarios import QUICK, a_day


@functools.cache
def this() -> Exploration:
    """Return the exploration of this tree."""
    return exploration()


@functools.cache
def release() -> Release:
    """Return this tree with its handlers loaded."""
    return Release(this().app)


@functools.cache
def results() -> Mapping[str, Result]:
    """Explore all scenarios; return what was found in each."""
    found = explore_all(this(), release(), this().scenarios)
    return {result.scenario: result for result in found}


def broken_by(sources: Mapping[Path, str]) -> str | None:
    """Return what does not hold first with other texts of some files; None when all holds.

    Only what the sweep runs through is tried with several runs of it: they take the most time.
    """
    changed = Release(this().app, sources)
    several = any(path.parent.name in ("plumbing", "resume_orders") for path in sources)
    for scenario in QUICK:
        if not several and scenario.may.get("tick"):
            continue
        machine = Machine(this(), changed, scenario)
        if found := explore(machine, Judge(machine)).found:
            return f"{scenario.name}: {found.broken[0]}"
    return None


def simulate(seed: int) -> Day:
    """Live through a day of a hundred orders."""
    return live(this(), release(), a_day(seed), seed)

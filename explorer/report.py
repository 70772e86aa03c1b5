"""What explorations found: as lines, as data, and as a file for CI."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from explorer.exploration import Exploration
from explorer.run import Result
from explorer.story import Story
from explorer.terminal import printable

CLOSING = "every transition is taken"


def line(result: Result) -> str:
    """Return a line about one scenario."""
    found = result.explored
    broken = "   BROKEN" if result.story else ""
    return (
        f"{result.scenario:<30} {found.states:>9,} states {found.steps:>10,} steps "
        f"{found.seconds:>6.1f} s {found.megabytes:>6,.0f} MB{broken}"
    )


def total(results: Sequence[Result], seconds: float, processes: int) -> str:
    """Return a line about all of them."""
    states = sum(one.explored.states for one in results)
    return f"{states:,} states in {seconds:.1f} s, at most {_megabytes(results, processes):,.0f} MB"


def _megabytes(results: Sequence[Result], processes: int) -> float:
    """Return what the largest that may have run at the same time took together."""
    return sum(sorted((one.explored.megabytes for one in results), reverse=True)[:processes])


def stories(results: Sequence[Result], command: str) -> Iterator[str]:
    """Yield the lines of what does not hold, each with the command that replays it."""
    for story in (one.story for one in results if one.story):
        yield from ("", f"{story.scenario}:", *story.lines(errors=True, places=True))
        yield f"{command} story {shlex.quote(story.scenario)} {story.schedule or repr('')}"


def untaken(exploration: Exploration, results: Sequence[Result]) -> Sequence[str]:
    """Return a sentence for each declared transition that no scenario took.

    Nothing is said as long as a scenario is missing, or its search ended early.
    """
    explored = {one.scenario for one in results if not one.story}
    if exploration.saga is None or explored != {one.name for one in exploration.scenarios}:
        return ()
    taken = frozenset[Any]().union(*(one.explored.transitions for one in results))
    return [
        f"No scenario takes {one}: add one that does, or remove that step."
        for one in exploration.saga.flow.transitions
        if (one.function, one.before, one.after) not in taken
    ]


def holds(results: Sequence[Result], missing: Sequence[str]) -> bool:
    """Return whether everything does."""
    return not missing and not any(one.story for one in results)


def as_json(
    results: Sequence[Result], missing: Sequence[str], seconds: float, processes: int
) -> dict[str, Any]:
    """Return what was found for a program."""
    return {
        "holds": holds(results, missing),
        "states": sum(one.explored.states for one in results),
        "seconds": round(seconds, 3),
        "megabytes": round(_megabytes(results, processes), 1),
        "missing": list(missing),
        "scenarios": [
            {
                "name": one.scenario,
                "states": one.explored.states,
                "steps": one.explored.steps,
                "schedules": one.explored.schedules,
                "seconds": round(one.explored.seconds, 3),
                "megabytes": round(one.explored.megabytes, 1),
                "story": one.story.as_json() if one.story else None,
            }
            for one in results
        ],
    }


def write_junit(path: Path, results: Sequence[Result], missing: Sequence[str], name: str) -> None:
    """Write what was found as a file of JUnit: a test case for each scenario."""
    cases: dict[str, tuple[float, Story | Sequence[str] | None]] = {
        one.scenario: (one.explored.seconds, one.story) for one in results
    }
    if missing:
        cases[CLOSING] = 0.0, missing
    failed = sum(found is not None for _, found in cases.values())
    seconds = sum(took for took, _ in cases.values())
    suite = ElementTree.Element(
        "testsuite", _attributes(name=name, tests=len(cases), failures=failed, time=seconds)
    )
    for case, (took, found) in cases.items():
        added = _attributes(classname=name, name=case, time=took)
        element = ElementTree.SubElement(suite, "testcase", added)
        if found:
            broken = found.broken if isinstance(found, Story) else found
            lines = found.lines(errors=True, places=True) if isinstance(found, Story) else found
            message = _attributes(message="; ".join(broken))
            failure = ElementTree.SubElement(element, "failure", message)
            failure.text = "\n".join(map(printable, lines))
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _attributes(**values: object) -> dict[str, str]:
    return {
        name: f"{value:.3f}" if isinstance(value, float) else printable(str(value))
        for name, value in values.items()
    }

"""The table of docs/evolution.md: each change of the examples, explored."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

from explorer.deployments import DRAINED, UNSAFE, Verdict
from tests.changes import CHANGES, Change
from tests.simulation.deployments import judge

PAGE = Path(__file__).resolve().parents[2] / "docs/evolution.md"
BEGIN, END = "<!-- explored: begin -->\n", "<!-- explored: end -->\n"


@functools.cache
def judged(name: str) -> Verdict:
    """Explore one change, once."""
    with tempfile.TemporaryDirectory() as folder:
        return judge(*_change(name).trees(Path(folder)))


def page() -> str:
    """Return the page with its table renewed."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n".join(_rows()) + "\n" + END + rest.split(END)[1]


def _change(name: str) -> Change:
    [change] = [one for one in CHANGES if one.name == name]
    return change


def _rows() -> Iterator[str]:
    yield "| change | deployed | rolled back | states | time |"
    yield "|---|---|---|---:|---:|"
    for change in CHANGES:
        verdict = judged(change.name)
        deployed = f"**{verdict.what}**" if verdict.what == UNSAFE else verdict.what
        if change.order:
            steps = list(verdict.order)
            if verdict.what == DRAINED:
                steps.insert(verdict.drain_after, "drain")
            deployed += f": {', '.join(steps)}"
        if change.why:
            deployed += f". {change.why[0].upper()}{change.why[1:]}"
        back = "" if verdict.what == UNSAFE else "**not safe**" if verdict.rollback else "safe"
        row = (change.name, deployed, back, f"{verdict.states:,}", f"{verdict.seconds:.1f} s")
        yield f"| {' | '.join(row)} |"

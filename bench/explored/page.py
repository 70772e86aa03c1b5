"""docs/explored.md: what the explorer finds in the peers, and the shortest story of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.explored import SCENARIOS, plain, powertools
from explorer.app import Scenario
from explorer.exploration import Exploration, Release
from explorer.run import Result, explore_all
from explorer.story import Story

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explored.md"

HEAD = """# What the explorer finds in handlers of others

Written by `make explored`. A test fails when this page is out of date.

[The explorer](../explorer/README.md) runs the handlers of [bench/peers](../bench/peers), which are
the flow of this saga as people write it, and not one line of them is changed:
[plain](../bench/peers/plain) boto3 and pydantic, and the same with
[Powertools](../bench/peers/powertools), whose idempotency is set up as its documentation shows it.
What is found here is no fault of these libraries: it is what they leave to do. The saga's own
services run through the same and more: [reliability](reliability.md).

Both are told the explorer [in one file](../bench/explored/__init__.py), and the world is kind: the
payment provider and the carrier know the order's id as an idempotency key for a day. Lambda tries a
failed event again after one minute, and once more after two. A client that gets an error or no
response sends its request again. One thing goes wrong, and no second: a *fault* is a crash before
or after a call, or a call that is throttled, unanswered, refused or sent twice by boto; a
*duplicate* is an event that is delivered once more, in *a day* after partners and Powertools'
records have forgotten the first; a *loss* is an event that the bus accepts and never delivers.
"""

MENDS = {
    "publish again": "A crash between a write and its publication leaves an order as if the step "
    "were done. Where the condition of a write says that it is, what is stored is to be published "
    "again; to return there is what strands the order.",
    "conditions": "A record of idempotency expires, and one that a crash left behind says nothing "
    "of what was done before: the handler runs as if for the first time. Each write needs a "
    "condition on the order's status beside that record.",
    "ask later": "The partner is asked before the order is. The status is to be read first; and "
    "where a try may come after the partner has forgotten its key, it is to be asked what was "
    "done, and not to do it.",
    "a key": "Each request makes an order with an id of its own. A client needs a key that it can "
    "send again, and the order's id is to follow from it.",
    "a sweep": "No handler can mend it: something has to look for orders that stand still, and "
    "publish again what is stored.",
}
COUNTS = """
| | may go wrong | states | took | does not hold |
|---|---|--:|--:|---|"""
FINDINGS = """
| this happens | in | after | mended by |
|---|---|--:|---|"""


@dataclass(frozen=True)
class Finding:
    """A kind of failure: the texts that it has, in words of an order, and which of MENDS it needs.

    Texts are of one finding that differ only in what `{also}` stands for.
    """

    pattern: str
    words: str
    mend: str
    lost: bool = False


KNOWN = (
    Finding(
        r"nothing moves a saga any more that is (?P<also>\w+)",
        "an order stays {also}, in no failure queue",
        "a sweep",
        lost=True,
    ),
    Finding(
        r"nothing moves a saga any more that is (?P<also>\w+)",
        "an order stays {also}, in no failure queue",
        "publish again",
    ),
    Finding(
        r"(?P<also>\w+) was never published, and is in no failure queue",
        "an order ends without {also}",
        "publish again",
    ),
    Finding(
        r"(?P<one>\w+) made (?P<also>\w+) to (?P<two>\w+)",
        "{one} makes an order {two} that is {also}",
        "conditions",
    ),
    Finding("(?P<one>units are missing that no order holds)", "{one}", "conditions"),
    Finding("(?P<one>more units are available or held than there are)", "{one}", "conditions"),
    Finding(
        r"charge_payment\.charge did it 2 times for one saga",
        "a card is charged twice for one order",
        "ask later",
    ),
    Finding(
        r"notify_shipping\.book did it 2 times for one saga",
        "goods are sent twice for one order",
        "ask later",
    ),
    Finding(
        r"a card is charged, and the order is (?P<also>\w+)",
        "a card is charged of an order that is {also}",
        "ask later",
    ),
    Finding(
        "(?P<one>a customer sent one order, and there are two)",
        "{one}",
        "a key",
    ),
)


@dataclass
class Found:
    """A finding: its words, what differed in its texts, and its shortest story."""

    words: str
    mend: str
    story: Story
    also: list[str]

    @property
    def text(self) -> str:
        """Return what happens."""
        *most, last = self.also or [""]
        return self.words.format(also=f"{', '.join(most)} or {last}" if most else last)


def page() -> str:
    """Explore both peers, and return the page."""
    parts = [HEAD, "## What would mend it\n"]
    parts += [f"- **{name}**: {how}" for name, how in MENDS.items()]
    for title, exploration in (
        ("plain boto3 and pydantic", plain.exploration),
        ("Powertools", powertools.exploration),
    ):
        parts += [f"\n## {title}", *_peer(exploration)]
    return "\n".join(parts)


def without_seconds(text: str) -> str:
    """Return a page without what differs between runs."""
    return re.sub(r"\b\d+\.\d s\b", "_ s", text)


def _peer(exploration: Exploration) -> Iterator[str]:
    found = explore_all(exploration, Release(exploration.app), SCENARIOS, all_kinds=True)
    results = {one.scenario: one for one in found}
    yield COUNTS
    for scenario in SCENARIOS:
        yield _counts(scenario, results[scenario.name])
    findings = _findings(results)
    yield FINDINGS
    for one in findings:
        steps = len(one.story.steps)
        yield f"| {one.text} | {one.story.scenario} | {steps} steps | {one.mend} |"
    yield ""
    for one in findings:
        lines = "\n".join(one.story.lines())
        yield (
            f"<details><summary>{one.text}: {one.story.scenario}</summary>\n\n"
            f"```text\n{lines}\n```\n</details>\n"
        )


def _counts(scenario: Scenario, result: Result) -> str:
    explored = result.explored
    may = ", ".join(f"{name}: {count}" for name, count in scenario.may.items())
    kinds = len(result.kinds)
    holds = f"{kinds} kinds" if kinds > 1 else "1 kind" if kinds else "**all holds**"
    return f"| {scenario.name} | {may} | {explored.states:,} | {explored.seconds:.1f} s | {holds} |"


def _findings(results: Mapping[str, Result]) -> Sequence[Found]:
    """Return the findings, in the order of the scenarios; the same in several is told once."""
    found: dict[tuple[str, ...], Found] = {}
    for scenario in SCENARIOS:
        what_goes_wrong = "".join(scenario.may)
        for text, story in results[scenario.name].kinds.items():
            words, also, mend = _in_words(text, lost="losses" in scenario.may)
            one = found.setdefault((what_goes_wrong, words), Found(words, mend, story, []))
            if also and also not in one.also:
                one.also.append(also)
            if len(story.steps) < len(one.story.steps):
                one.story = story
    return list(found.values())


def _in_words(text: str, *, lost: bool) -> tuple[str, str, str]:
    """Return a text in words, what may differ in it, and what would mend it.

    Raises ValueError for one that there are no words for.
    """
    for known in KNOWN:
        if (match := re.fullmatch(known.pattern, text)) and known.lost in (lost, False):
            groups = {**match.groupdict(), "also": "{also}"}
            return known.words.format(**groups), match.groupdict().get("also", ""), known.mend
    raise ValueError(f"a peer does what KNOWN has no words for, write them: {text}")

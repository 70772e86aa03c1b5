"""Print a verdict: what may be deployed in which order, and the story of what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from explorer.deployments import (
    DRAINED,
    FEW,
    IN_ORDER,
    SAFE,
    UNSAFE,
    WAITS,
    Failure,
    Verdict,
)

MEANS = {
    SAFE: "Any of it may come first, at any moment.",
    IN_ORDER: "In another order, orders wait for the rest, with events in failure queues.",
    WAITS: "After the last deployment, `./saga redrive` and the sweep end the orders that waited.",
    DRAINED: "Orders from before the first part never end on the second.",
    UNSAFE: "Orders that are open never end, or are done twice.",
}


def passes(verdict: Verdict) -> bool:
    """Return whether the change can be deployed as the verdict says, without waiting."""
    return verdict.what in (SAFE, IN_ORDER)


def lines(verdict: Verdict, base: str) -> Iterator[str]:
    """Yield the lines of a verdict about what changed since `base`."""
    if not verdict.services:
        yield f"No service has changed since {base}: there is nothing to deploy."
        return
    yield f"Changed since {base}: {', '.join(verdict.services)}."
    yield f"Explored {verdict.states:,} states in {verdict.seconds:.1f} s."
    yield ""
    yield f"Deploy:     {verdict.what}. {MEANS[verdict.what]}"
    if verdict.what != UNSAFE:
        yield from (f"              {command}" for command in commands(verdict))
    if verdict.what == UNSAFE:
        yield from _unsafe(verdict)
    elif verdict.what == DRAINED and verdict.failure:
        yield from _story("Without that", verdict.failure)
    elif verdict.waits:
        yield from _story("In another order" if verdict.what == IN_ORDER else "How", verdict.waits)
    if verdict.what == UNSAFE:
        return
    yield ""
    if verdict.rollback is None:
        how = "in any order" if verdict.back_in_any_order else "last service first"
        yield f"Roll back:  safe, {how if len(verdict.order) > 1 else 'at any moment'}."
    else:
        yield "Roll back:  not safe while orders are open. Mend it by a release that goes forward."
        yield from _story("How", verdict.rollback)


def commands(verdict: Verdict) -> Iterator[str]:
    """Yield the commands that deploy the change, in order."""
    for place, service in enumerate(verdict.order):
        if verdict.drain_after and place == verdict.drain_after:
            yield "./saga trace --open --older-than WHEN   # WHEN: the time now. Wait for none left"
        yield f"./saga deploy {service}"


def as_json(verdict: Verdict, base: str) -> dict[str, Any]:
    """Return a verdict for programs."""
    stories = {"failure": verdict.failure, "waits": verdict.waits, "rollback": verdict.rollback}
    return {
        "since": base,
        "services": verdict.services,
        "verdict": verdict.what,
        "passes": passes(verdict),
        "order": verdict.order,
        "drainAfter": verdict.drain_after,
        "safeToRollBack": verdict.what != UNSAFE and verdict.rollback is None,
        "states": verdict.states,
        "seconds": round(verdict.seconds, 1),
        "stories": {name: list(one.lines()) for name, one in stories.items() if one},
    }


def _unsafe(verdict: Verdict) -> Iterator[str]:
    if verdict.failure:
        alone = "The new release by itself" if verdict.alone else "How"
        yield from _story(alone, verdict.failure)
    yield ""
    if len(verdict.services) > FEW and not verdict.alone:
        yield "Of so many services only the order of the flow was tried, and its reverse."
    if verdict.alone:
        yield "Correct the new release: no way of deploying it is safe."
    else:
        yield "Split the change, by the rule for its kind in docs/evolution.md; or stop the intake,"
        yield "wait until `./saga trace --open` lists none, and deploy all of it."


def _story(title: str, failure: Failure) -> Iterator[str]:
    yield ""
    yield f"{title}:"
    yield from (f"  {line}" for line in failure.lines())

"""Whether a change can be deployed while sagas are open: every order of its functions is explored.

The verdict of a change is one of `SAFE`, `IN_ORDER`, `WAITS`, `DRAINED` and `UNSAFE`; with it come
the order to deploy in, whether that can be rolled back, and the shortest story of what goes wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations

from explorer.app import Scenario
from explorer.exploration import Exploration, Release
from explorer.rollout import Plan, Rollout, RolloutJudge
from explorer.search import Schedule, explore
from explorer.story import Story, tell

SAFE = "safe in any order"
IN_ORDER = "safe only in this order"
WAITS = "nothing is lost, but orders wait until all of it is deployed"
DRAINED = "safe only in this order, with no older order left open in between"
UNSAFE = "not safe"
# Five times what any example has in one exploration; it keeps the memory below a gigabyte.
MAX_STATES = 400_000
# Above so many changed services not every order of them is explored by itself.
FEW = 3


@dataclass(frozen=True)
class Failure:
    """A schedule, the plan and the scenario in which it happens, and its story."""

    plan: Plan
    scenario: Scenario
    schedule: Schedule
    story: Story

    def lines(self) -> Iterator[str]:
        """Tell it."""
        return self.story.lines(errors=True)


@dataclass
class Trial:
    """One plan explored: what breaks in it first, and what orders wait for."""

    plan: Plan
    states: int = 0
    failure: Failure | None = None
    waits: Failure | None = None


@dataclass
class Verdict:
    """What was found about a change.

    order: the services in the order to deploy them in; where it is DRAINED, orders from before the
        first `drain_after` of them have to end before the others follow.
    waits: orders that wait for the rest of the deployment, although nothing is lost.
    rollback: what goes wrong when it is rolled back, last service first; nothing does, and each
        service may stay or go by itself, if it goes `back_in_any_order`.
    alone: what goes wrong in the new release by itself.
    """

    services: tuple[str, ...]
    what: str = SAFE
    order: tuple[str, ...] = ()
    drain_after: int = 0
    failure: Failure | None = None
    waits: Failure | None = None
    rollback: Failure | None = None
    back_in_any_order: bool = False
    alone: Failure | None = None
    states: int = 0
    seconds: float = 0.0
    trials: list[Trial] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """Two releases of an application, and the functions that differ between them.

    exploration: what must hold of both, whatever is deployed.
    scenarios: what is explored: of one function that is only deployed, or of several.
    """

    exploration: Exploration
    old: Release
    new: Release
    functions: tuple[str, ...]
    scenarios: Callable[[bool], Sequence[Scenario]]

    def rollout(self, plan: Plan, scenario: Scenario) -> Rollout:
        """Return the world in which a plan is carried out."""
        return Rollout(self.exploration, self.old, self.new, plan, scenario)


def judge_change(change: Change) -> Verdict:
    """Explore every deployment of the functions in which two releases differ."""
    begun = time.perf_counter()
    verdict = Verdict(change.functions, order=change.functions)
    if change.functions:
        _Explorer(change, verdict).run()
    verdict.seconds = time.perf_counter() - begun
    return verdict


class _Explorer:
    def __init__(self, change: Change, verdict: Verdict) -> None:
        self._change, self._verdict = change, verdict

    def run(self) -> None:
        """Fill in the verdict."""
        verdict, changed = self._verdict, self._verdict.services
        alone = self._try(Plan(changed, first=len(changed)))
        if alone.failure:
            verdict.what, verdict.failure, verdict.alone = UNSAFE, alone.failure, alone.failure
            return
        anyhow = self._try(Plan(changed, any_order=True))
        if anyhow.failure is None and anyhow.waits is None:
            verdict.order = changed
        else:
            self._choose(anyhow)
        if verdict.what != UNSAFE:
            self._roll_back()

    def _roll_back(self) -> None:
        """Explore the way back: of each service by itself where each can come so, else of all."""
        verdict = self._verdict
        if verdict.what == SAFE and len(verdict.order) <= FEW:
            back = self._try(Plan(verdict.order, any_order=True, rollback=True))
            if back.failure is None and back.waits is None:
                verdict.back_in_any_order = True
                return
        plan = Plan(verdict.order, rollback=True, first=verdict.drain_after)
        verdict.rollback = self._try(plan).failure

    def _choose(self, anyhow: Trial) -> None:
        """Find an order in which nothing breaks, and if there is one, in which nothing waits."""
        verdict, orders = self._verdict, list(self._orders())
        trials = [self._try(Plan(order)) for order in orders] if len(orders) > 1 else [anyhow]
        unbroken = [trial for trial in trials if trial.failure is None]
        calm = [trial for trial in unbroken if trial.waits is None]
        verdict.failure, verdict.waits = anyhow.failure, anyhow.waits
        if calm:
            verdict.what, verdict.order = IN_ORDER, calm[0].plan.order
            return
        if unbroken:
            verdict.what, verdict.order = WAITS, unbroken[0].plan.order
            verdict.waits = unbroken[0].waits
            return
        verdict.what = UNSAFE
        for order in orders:
            for first in range(1, len(order)):
                if self._is_safe_drained(order, first):
                    verdict.what, verdict.order, verdict.drain_after = DRAINED, order, first
                    return

    def _is_safe_drained(self, order: tuple[str, ...], first: int) -> bool:
        """Return whether the order is safe when all orders from before end in between."""
        return (
            self._try(Plan(order[:first], any_order=True)).failure is None
            and self._try(Plan(order, first=first)).failure is None
        )

    def _orders(self) -> Iterator[tuple[str, ...]]:
        """Yield orders of deployment: all, or for many services with and against the flow."""
        changed = self._verdict.services
        yield from permutations(changed) if len(changed) <= FEW else (changed, changed[::-1])

    def _try(self, plan: Plan) -> Trial:
        trial = Trial(plan)
        self._verdict.trials.append(trial)
        one = len(plan.order) == 1 and not plan.rollback
        for scenario in self._change.scenarios(one):
            machine = self._change.rollout(plan, scenario)
            judge = RolloutJudge(machine)
            explored = explore(machine, judge, MAX_STATES)
            trial.states += explored.states
            self._verdict.states += explored.states
            if explored.note and trial.waits is None:
                told = tell(machine, explored.note)
                trial.waits = Failure(plan, scenario, explored.note, told)
            if explored.found:
                told = tell(machine, explored.found)
                trial.failure = Failure(plan, scenario, explored.found, told)
                return trial
        return trial

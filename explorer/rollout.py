"""A deployment: the changed functions go from one release to the next one by one, and back.

Any of it may happen at any moment: with sagas half-way, events on their way or in failure queues,
crashes and duplicates. Rules change with their target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.app import Rule, Scenario
from explorer.exploration import Exploration, Release
from explorer.flow import Saga
from explorer.invariants import part_seen
from explorer.machine import Machine
from explorer.state import Move, State
from explorer.view import View

AS_IT_WAS, DEPLOYED, ROLLED_BACK = range(3)
# Rounds of redrive and sweep after which a saga that has not ended never will.
ROUNDS = 4


@dataclass(frozen=True)
class Plan:
    """The order in which functions are deployed, and whether they are rolled back after that.

    order: the functions, first to last; they are rolled back last to first.
    any_order: any of them may come next, or go back next, instead.
    first: so many of them are deployed before the first request comes.
    """

    order: tuple[str, ...]
    any_order: bool = False
    rollback: bool = False
    first: int = 0


class Rollout(Machine):
    """The world in which some functions change from the `old` release to the `new` one.

    No move is left out but that a function changes only when that can matter: an invocation that
    began before a deployment makes its first call after it, so to begin is a move of its own.
    """

    def __init__(
        self, exploration: Exploration, old: Release, new: Release, plan: Plan, scenario: Scenario
    ) -> None:
        self.codes, self.plan = (old, new), plan
        self._place = {function: place for place, function in enumerate(plan.order)}
        super().__init__(exploration, old, scenario, reduced=False)
        self._groups = True
        self.functions = {**old.functions, **new.functions}
        self.queues = {**old.queues, **new.queues}
        releases = [DEPLOYED] * plan.first + [AS_IT_WAS] * (len(plan.order) - plan.first)
        self.start = self.start._replace(releases=tuple(releases))

    def release(self, state: State, function: str) -> int:
        """Return 1 for a function that is deployed, else 0."""
        place = self._place.get(function)
        return 0 if place is None else int(state.releases[place] == DEPLOYED)

    def code(self, release: int) -> Release:
        """Return one of both releases."""
        return self.codes[release]

    def rules(self, state: State) -> Sequence[Rule]:
        """Return the rules that there are now: each comes and goes with its target."""
        return [
            rule
            for release, code in enumerate(self.codes)
            for rule in code.rules
            if self.release(state, self._taker(rule.target)) == release
        ]

    def _taker(self, target: str) -> str:
        return self.queues[target].function if target in self.queues else target

    def is_complete(self, state: State) -> bool:
        """Return whether nothing of the plan is left to do: all deployed, or all rolled back."""
        left = AS_IT_WAS if ROLLED_BACK not in state.releases else DEPLOYED
        return left not in state.releases

    def moves(self, state: State) -> Iterator[Move]:
        """Yield everything that can happen next: also deployments, and what comes to a dead end."""
        yield from super().moves(state)
        if self.left(state, "losses"):
            for number in dict.fromkeys(state.queue):
                if self.messages[self.deliveries[number].message].kind == "event":
                    yield Move("dead-letter", number)
        for what, functions in self._changes(state):
            if self.plan.any_order:
                changed = [one for one in functions if self.matters(state, one)]
            else:
                # A function that nothing is delivered to just now can as well change later.
                matters = any(self.matters(state, one) for one in functions)
                changed = list(functions[:1]) if matters else []
            yield from (Move(what, function) for function in changed)

    def after(self, state: State, move: Move) -> State:
        """Return the state that follows when this happens."""
        if move.what in ("deploy", "roll back"):
            releases = list(state.releases)
            releases[self._place[move.which]] += 1
            return state._replace(releases=tuple(releases))
        if move.what == "dead-letter":
            queue = list(state.queue)
            queue.remove(move.which)
            failed = self.number_of_delivery(self.deliveries[move.which]._replace(tries=0))
            state = self.spend(state, "losses")._replace(queue=tuple(queue))
            return state._replace(failed=self.deliveries.insert(state.failed, failed))
        return super().after(state, move)

    def _changes(self, state: State) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield what can be done with which functions, in order."""
        order, releases = self.plan.order, state.releases
        if ROLLED_BACK not in releases:
            yield "deploy", [s for s, at in zip(order, releases, strict=True) if at == AS_IT_WAS]
        if self.plan.rollback:
            deployed = [s for s, at in zip(order, releases, strict=True) if at == DEPLOYED]
            yield "roll back", deployed[::-1]

    def matters(self, state: State, function: str) -> bool:
        """Return whether it can make a difference that a function changes now and not later."""
        if not (state.queue or state.running):
            return True
        old, new = (
            [rule for rule in code.rules if self._taker(rule.target) == function]
            for code in self.codes
        )
        return old != new or any(self.function_of(one) == function for one in state.queue)


class RolloutJudge:
    """Judges a rollout by what holds for every saga, whatever its statuses are."""

    def __init__(self, machine: Rollout) -> None:
        self._machine = machine
        self._judged: dict[Any, tuple[str, ...]] = {}
        self._rest: dict[State, tuple[str, ...]] = {}

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what never may be, or is left over when all of the plan is done."""
        found = self._judged.get(part_seen(self._machine, state))
        if found is None:
            found = tuple(self._judge(state))
            self._judged[part_seen(self._machine, state)] = found
        return self._left(state) if not found and self._machine.is_complete(state) else found

    def noted(self, state: State) -> tuple[str, ...]:
        """Return which sagas wait for the rest of the plan."""
        return () if self._machine.is_complete(state) else self._left(state)

    def _left(self, state: State) -> tuple[str, ...]:
        if state.queue or state.running or state.late:
            return ()
        resting = state._replace(left=(0,) * len(state.left))
        if resting not in self._rest:
            self._rest[resting] = tuple(self._judge_rest(resting))
        return self._rest[resting]

    def _judge(self, state: State) -> Iterator[str]:
        machine, view = self._machine, View(self._machine, state)
        for invariant in machine.exploration.invariants:
            yield from invariant(view)
        texts: dict[tuple[str, str], str] = {}
        for number in state.published:
            message = machine.messages[number]
            kind = (machine.subject_of(number), message.name)
            if texts.setdefault(kind, message.text) != message.text:
                yield f"{message.name} of one saga was published with different bytes"

    def _judge_rest(self, state: State) -> Iterator[str]:
        """Yield the sagas that neither retries nor redrives nor sweeps will end."""
        machine, saga = self._machine, self._machine.saga
        for _ in range(ROUNDS):
            machine.error = ""
            state = machine.redriven(state)
            if sweep := machine.exploration.sweep:
                view = View(machine, state)
                state = machine.triggered(state, sweep.trigger, sweep.after(view))
        yield from self._judge(state)
        if saga:
            for subject, item in View(machine, state).items(saga.table).items():
                if saga.status in item and saga.is_open(item, machine.exploration.ends):
                    why = self._why(state, subject, item[saga.status], saga)
                    yield f"a saga stays {item[saga.status]} for ever: {why}"

    def _why(self, state: State, subject: str, status: str, saga: Saga) -> str:
        """Return why nothing moves a saga: the error that ended a handler last, or no consumer."""
        machine = self._machine
        if machine.error:
            return machine.error
        for number in state.published:
            name = machine.messages[number].name
            is_last = saga.flow.status_of.get(name) == status
            if is_last and machine.subject_of(number) == subject:
                if not machine.targets(state, number):
                    return f"no function consumes {name} now"
                return f"nothing follows on {name}"
        return "its last event is not published"

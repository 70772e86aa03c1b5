"""What must hold: the checks that follow from a declared flow, and the domain's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from explorer.calls import BreachError
from explorer.flow import Saga
from explorer.loading import explained
from explorer.machine import Machine
from explorer.state import State
from explorer.view import View


class Judge:
    """Judges the states of one machine; parts that are equal are judged once."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._parts: dict[Any, tuple[str, ...]] = {}
        self._rest: dict[State, tuple[str, ...]] = {}

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what does not hold in this state."""
        found = state.wrong or self._judged(state)
        if found or state.queue or state.running or state.late:
            return found
        resting = state._replace(lagging=None)
        if resting not in self._rest:
            self._rest[resting] = tuple(self._judge_rest(resting))
        return self._rest[resting]

    def noted(self, state: State) -> tuple[str, ...]:
        """Return nothing: a state is as it has to be, or broken."""
        return ()

    def _judged(self, state: State) -> tuple[str, ...]:
        found = self._parts.get(part_seen(self._machine, state))
        if found is None:
            found = tuple(self.judge(state))
            self._parts[part_seen(self._machine, state)] = found
        return found

    def judge(self, state: State) -> Iterator[str]:
        """Yield what does not hold, whatever is still in progress."""
        yield from state.wrong
        view = View(self._machine, state)
        if saga := self._machine.saga:
            yield from self._judge_events(state, view, saga)
            yield from self._judge_partners(state)
            yield from _judge_accepted(view, saga)
        for invariant in self._machine.exploration.invariants:
            name = getattr(invariant, "__name__", invariant)
            try:
                found = invariant(view)
                if not isinstance(found, str):
                    yield from found
                    continue
            except Exception as error:
                raise BreachError(f"the invariant {name} raises {explained(error)}") from error
            raise BreachError(f"the invariant {name} returns a text: let it yield what is wrong")

    def _judge_events(self, state: State, view: View, saga: Saga) -> Iterator[str]:
        """Judge whether what is published is stored, and the same event always the same."""
        machine, sagas = self._machine, view.items(saga.table)
        texts: dict[tuple[str, str], str] = {}
        for number in state.published:
            message, subject = machine.messages[number], machine.subject_of(number)
            if texts.setdefault((subject, message.name), message.text) != message.text:
                yield f"{message.name} of one saga is published with different bytes"
            reported = saga.flow.status_of.get(message.name)
            status = sagas.get(subject, {}).get(saga.status)
            if reported and reported not in saga.flow.reached.get(str(status), ()):
                yield f"{message.name} is published, and what is stored is {status or 'nothing'}"

    def _judge_partners(self, state: State) -> Iterator[str]:
        """Judge whether each partner did no more than one thing for each saga, under one key."""
        keys: dict[tuple[str, str], set[str | None]] = {}
        effects: dict[tuple[str, str], int] = {}
        for number in state.acts:
            act = self._machine.acts[number]
            # Of a request or a batch it is not known which saga it is about: then its key is.
            of = (act.partner, act.subject or act.key or "")
            keys.setdefault(of, set()).add(act.key)
            effects[of] = effects.get(of, 0) + act.effect
        for (partner, _), used in keys.items():
            if len(used) > 1:
                yield f"{partner} is asked under {len(used)} keys for one saga"
        for (partner, _), count in effects.items():
            if count > 1:
                yield f"{partner} did it {count} times for one saga"

    def _judge_rest(self, state: State) -> Iterator[str]:
        """Judge a state at rest: what is open waits in a failure queue, or for the sweep."""
        machine, saga = self._machine, self._machine.saga
        if saga is None:
            return
        view = View(machine, state)
        sagas = {one: item for one, item in view.items(saga.table).items() if saga.status in item}
        open_ones = set(_open(view, saga))
        failed = {machine.subject_of(machine.deliveries[one].message) for one in state.failed}
        # An accepted saga waits for nothing but what was lost, or what an alarm tells.
        excused = failed | {one.subject for one in view.outcomes if one.what == "alarm"}
        accepted = {one.subject for one in view.outcomes if one.what == "done"}
        accepted = (accepted | {machine.subject_of(one) for one in machine.given}) - excused
        published = {
            (machine.subject_of(number), machine.messages[number].name)
            for number in state.published
        }
        # What is lost waits for the sweep; without one it waits for nothing.
        swept_later = machine.exploration.sweep and machine.spent(state, "losses")
        for subject in () if swept_later else open_ones & accepted:
            status = sagas[subject][saga.status]
            yield f"nothing moves a saga any more that is {status}"
        for subject, item in sagas.items():
            last = saga.flow.last_event.get(str(item[saga.status]))
            if last and (subject, last) not in published and subject not in failed:
                yield f"{last} was never published, and is in no failure queue"
        if sweep := machine.exploration.sweep:
            swept = machine.triggered(state, sweep.trigger, sweep.after(view))
            yield from self._judge_after(swept, f"after one {sweep.trigger}", open_ones)
        redriven = machine.redriven(state)
        true = {
            machine.subject_of(machine.deliveries[one].message)
            for one in state.failed
            if machine.deliveries[one].message not in machine.forgeries
        }
        yield from self._judge_after(redriven, "after one redrive", true & open_ones)

    def _judge_after(self, state: State, when: str, to_end: Iterable[str]) -> Iterator[str]:
        """Judge what a remedy led to: still everything holds, and these sagas have ended."""
        yield from (f"{broken}, {when}" for broken in self._judged(state))
        saga = self._machine.saga
        if saga:
            view = View(self._machine, state)
            for subject in sorted(set(to_end) & set(_open(view, saga))):
                status = view.items(saga.table)[subject][saga.status]
                yield f"a saga is {status} {when}"


def part_seen(machine: Machine, state: State) -> tuple[Any, ...]:
    """Return the part of a state that invariants see: of what happened, what they ask for."""
    rests = not (state.queue or state.running or state.late)
    spent = tuple(machine.spent(state, name) for name in machine.excuses)
    seen = (state.rows, state.acts, state.published, state.outcomes, state.failed, state.seconds)
    return *seen, rests, spent


def _open(view: View, saga: Saga) -> Iterator[str]:
    for subject, item in view.items(saga.table).items():
        if saga.status in item and saga.is_open(item):
            yield subject


def _judge_accepted(view: View, saga: Saga) -> Iterator[str]:
    """Judge whether every request that was accepted has its saga."""
    for outcome in view.outcomes:
        if outcome.what == "done" and outcome.subject not in view.items(saga.table):
            yield "a request is accepted, and no saga is stored"

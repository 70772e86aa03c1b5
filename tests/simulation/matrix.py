"""Each call of the services, each fault of it, and what becomes of the order."""

from __future__ import annotations

from collections.abc import Iterator

from explorer.calls import PARTNER
from explorer.exploration import Exploration, Release
from explorer.faults import CRASH_BEFORE, LOST, faults
from explorer.machine import ANSWERS, ENDS, Machine
from explorer.state import Move, State
from explorer.story import call_words
from explorer.view import View
from tests.simulation.domain import until_due
from tests.simulation.scenarios import ORDER, SOLD_OUT, scenario

Row = tuple[str, str]  # the service, and the call


def fill(exploration: Exploration, release: Release) -> dict[Row, dict[str, str]]:
    """Let every call fail in every way, once; return what happens without intervention."""
    found: dict[Row, dict[str, str]] = {}
    for order in (ORDER, SOLD_OUT):
        machine = Machine(exploration, release, scenario("", order))
        for state, move in _calls(machine):
            running = machine.running[move.which]
            call = machine.calls[running.call]
            service = machine.function_of(running.deliveries[0])
            row = found.setdefault((service, call_words(call)), {})
            for fault in (
                CRASH_BEFORE,
                *faults(call),
                *([LOST] if call.service == "events" else []),
            ):
                row.setdefault(fault, _becomes(machine, state, move, fault))
    return found


def _calls(machine: Machine) -> Iterator[tuple[State, Move]]:
    """Yield every call of one order that nothing happens to, whatever partners answer."""
    states, seen = [machine.start], {machine.start}
    for state in states:
        for move in machine.moves(state):
            if machine.running[move.which].call != ENDS:
                yield state, move
            after = machine.after(state, move)
            if after not in seen:
                seen.add(after)
                states.append(after)


def _becomes(machine: Machine, state: State, move: Move, fault: str) -> str:
    running = machine.running[move.which]
    way = f", {move.how}" if ANSWERS in move.how and "crash before" not in fault else ""
    call = machine.calls[running.call]
    how = fault + way if call.service == PARTNER and fault != "unreachable" else fault
    after = machine.after(state, move._replace(how=how))
    tries = machine.deliveries[running.deliveries[0]].tries
    again = any(machine.deliveries[one].tries > tries for one in after.queue)
    ended = machine.settle(after)
    if _is_open(machine, ended):
        swept = machine.triggered(ended, "tick", until_due(View(machine, ended)))
        return "lost for good" if _is_open(machine, swept) else "the sweep publishes it again"
    if fault == LOST:
        return "no consumer"
    if not again:
        return "continues"
    is_request = machine.function_of(running.deliveries[0]) == "create_order"
    return "the client posts again" if is_request else "tried again"


def _is_open(machine: Machine, state: State) -> bool:
    orders = View(machine, state).items("orders").values()
    saga = machine.saga
    return not orders or any(saga.is_open(order) for order in orders if saga)

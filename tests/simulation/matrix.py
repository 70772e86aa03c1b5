"""Each call that the services make, each way in which it can fail, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.code import Code
from tests.simulation.invariants import ENDS, LATER
from tests.simulation.machine import FAULTS, LOST, Budget, Machine, Move, Running, State
from tests.simulation.scenarios import DECLINED, HAPPY, ON_SHELF, SOLD_OUT

Row = tuple[str, str]  # the service, and the call


def fill(code: Code) -> dict[Row, dict[str, str]]:
    """Let every call of every outcome fail in every way, once; answer what happens by itself."""
    found: dict[Row, dict[str, str]] = {}
    for order in (HAPPY, DECLINED, SOLD_OUT):
        machine = Machine(code, [order], ON_SHELF, Budget())
        for state, running in _way(machine):
            kind = machine.kind(running)
            row = found.setdefault((running.delivery.service, machine.told(running)), {})
            for fault in (*FAULTS[kind], *([LOST] if kind == "events" else [])):
                row.setdefault(fault, _becomes(machine, state, running, fault))
    return found


def _way(machine: Machine) -> Iterator[tuple[State, Running]]:
    """Yield every call on the way of one order to which nothing happens."""
    state = machine.start
    while state.queue or state.running:
        if state.running:
            yield state, state.running[0]
            state = machine.after(state, Move("answer", state.running[0]))
        else:
            state = machine.after(state, Move("start", state.queue[0]))


def _becomes(machine: Machine, state: State, running: Running, fault: str) -> str:
    after = machine.after(state, Move("answer", running, fault))
    again = any(delivery.tries < running.delivery.tries for delivery in after.queue)
    ended = machine.settle(after)
    if _open(machine, ended):
        swept = machine.settle(ended._replace(queue=(machine.sweep(later=LATER),)))
        return "lost for good" if _open(machine, swept) else "the sweep says it again"
    if fault == LOST:
        return "nobody hears it"
    if not again:
        return "goes on"
    return "the client posts again" if running.delivery.service == "create_order" else "tried again"


def _open(machine: Machine, state: State) -> bool:
    orders = [machine.items[item] for table, _, item in state.items if table == "orders"]
    return not orders or any(order["status"]["S"] not in ENDS for order in orders)

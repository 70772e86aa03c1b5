"""Each call of the services, each fault of it, and what becomes of the order."""

from __future__ import annotations

from collections.abc import Iterator

from harness.saga import FINAL
from tests.simulation.code import Code
from tests.simulation.faults import FAULTS, LOST
from tests.simulation.machine import Machine
from tests.simulation.narration import Narration
from tests.simulation.scenarios import DECLINED, HAPPY, SOLD_OUT, STOCK
from tests.simulation.state import Budget, Move, Running, State

Row = tuple[str, str]  # the service, and the call


def fill(code: Code) -> dict[Row, dict[str, str]]:
    """Let every call fail in every way, once; return what happens without intervention."""
    found: dict[Row, dict[str, str]] = {}
    for order in (HAPPY, DECLINED, SOLD_OUT):
        machine = Machine(code, [order], STOCK, Budget())
        narration = Narration(machine)
        for state, running in _calls(machine):
            kind = machine.kind(running)
            row = found.setdefault((running.delivery.service, narration.call(running)), {})
            for fault in (*FAULTS[kind], *([LOST] if kind == "events" else [])):
                row.setdefault(fault, _becomes(machine, state, running, fault))
    return found


def _calls(machine: Machine) -> Iterator[tuple[State, Running]]:
    """Yield every call of one order that nothing happens to."""
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
        swept = machine.swept(ended)
        return "lost for good" if _open(machine, swept) else "the sweep publishes it again"
    if fault == LOST:
        return "no consumer"
    if not again:
        return "continues"
    return "the client posts again" if running.delivery.service == "create_order" else "tried again"


def _open(machine: Machine, state: State) -> bool:
    orders = [machine.items[item] for table, _, item in state.items if table == "orders"]
    return not orders or any(order["status"]["S"] not in FINAL for order in orders)

"""Customers, deliveries, crashes, sweeps and redrives in any order: a search for what breaks it."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from harness.saga import FINAL
from tests.simulation import page
from tests.simulation.faults import FAULTS, LOST
from tests.simulation.invariants import Judge
from tests.simulation.machine import Machine
from tests.simulation.state import TRIES, WAIT, Budget, Delivery, Move, Order, State

CUSTOMERS = ("CUST-1", "CUST-2", "CUST-3", "CUST-DECLINE-1", "CUST-DECLINE-2")
SKUS = ("ONE", "FEW", "NONE")
NUMBERS = st.integers(min_value=0, max_value=2**16)


class Saga(RuleBasedStateMachine):
    """The handlers, with everything around them done one thing at a time."""

    machine: Machine
    judge: Judge
    state: State

    @initialize(one=st.integers(0, 1), few=st.integers(0, 4))
    def open_the_shop(self, one: int, few: int) -> None:
        stock = {"ONE": one, "FEW": few, "NONE": 0}
        self.machine = Machine(page.as_it_is(), [], stock, Budget(at_once=4))
        self.judge, self.state = Judge(self.machine), self.machine.start

    @rule(
        customer=st.sampled_from(CUSTOMERS),
        sku=st.sampled_from(SKUS),
        quantity=st.integers(1, 3),
        amount=st.integers(0, 2),
    )
    def post(self, customer: str, sku: str, quantity: int, amount: int) -> None:
        self.state = self.machine.post(self.state, Order(customer, sku, quantity, amount))

    @precondition(lambda self: self.state.queue)
    @rule(which=NUMBERS)
    def begin(self, which: int) -> None:
        chosen = self.state.queue[which % len(self.state.queue)]
        self.state = self.machine.after(self.state, Move("start", chosen))

    @precondition(lambda self: self.state.queue)
    @rule(which=NUMBERS)
    def begin_and_end(self, which: int) -> None:
        chosen = self.state.queue[which % len(self.state.queue)]
        self.state = self.machine.after(self.state, Move("start", chosen))
        while mine := [one for one in self.state.running if one.delivery == chosen]:
            self.state = self.machine.after(self.state, Move("answer", mine[0]))

    @precondition(lambda self: self.state.running)
    @rule(which=NUMBERS)
    def go_on(self, which: int) -> None:
        self._answer(which, "")

    @precondition(lambda self: self.state.running)
    @rule(which=NUMBERS, how=NUMBERS)
    def go_wrong(self, which: int, how: int) -> None:
        running = self.state.running[which % len(self.state.running)]
        kind = self.machine.kind(running)
        faults = [*FAULTS[kind], *([LOST] if kind == "events" else [])]
        self._answer(which, faults[how % len(faults)])

    @precondition(lambda self: self.state.published)
    @rule(which=NUMBERS)
    def deliver_again(self, which: int) -> None:
        event = self.state.published[which % len(self.state.published)]
        consumers = self.machine.consumers(self.state, event)
        self._queue(*(Delivery(service, event, TRIES) for service in consumers))

    @rule(all_open=st.booleans())
    def sweep(self, all_open: bool) -> None:
        self._queue(self.machine.sweep(all_open=all_open))

    @precondition(lambda self: not self.state.running)
    @rule()
    def wait(self) -> None:
        self.state = self.state._replace(minutes=self.state.minutes + WAIT)

    @precondition(lambda self: self.state.failed)
    @rule()
    def redrive(self) -> None:
        failed, self.state = self.state.failed, self.state._replace(failed=())
        self._queue(*failed)

    @invariant()
    def everything_holds(self) -> None:
        assert tuple(self.judge.judge(self.state)) == ()

    def teardown(self) -> None:
        """Let everything come to rest: one sweep must end every order."""
        rest = self.machine.settle(self.state)
        ended = self.machine.swept(rest, all_open=True)
        stored = [self.machine.items[item] for table, _, item in ended.items if table == "orders"]
        assert tuple(self.judge.judge(ended)) == ()
        assert {item["status"]["S"] for item in stored} <= FINAL

    def _answer(self, which: int, how: str) -> None:
        running = self.state.running[which % len(self.state.running)]
        self.state = self.machine.after(self.state, Move("answer", running, how))

    def _queue(self, *deliveries: Delivery) -> None:
        self.state = self.state._replace(queue=tuple(sorted((*self.state.queue, *deliveries))))


TestSaga = Saga.TestCase
TestSaga.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    # Findings are not shrunk here: the exploration has the shortest schedule.
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

"""The invariants: checked after every step, and when everything rests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from harness.saga import FINAL, PATHS, STATUS_OF
from tests.simulation.machine import Machine
from tests.simulation.state import MORNING, WAIT, Budget, Order, State

# What the domain means, and no declaration has: written here by hand, because it is the check.
HOLDING = {"INVENTORY_RESERVED", "PAYMENT_CHARGED", "PAYMENT_FAILED", "SHIPPING_SCHEDULED"}
STATUS_PATHS = [tuple(step.to for _, step in path) for path in PATHS]
# The event that has to be published with each final status, but for one that publishes none.
LAST_EVENT = {
    step.to: step.publishes.__name__
    for path in PATHS
    for _, step in path[-1:]
    if step.publishes is not None
}
# After so long a step without an event is stalled, by docs/runbook.md.
STALLED_AFTER = timedelta(minutes=4)


class Judge:
    """Judges the states of one machine; parts that are equal are judged once."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._orders: dict[Any, tuple[str, ...]] = {}
        self._rest: dict[State, tuple[str, ...]] = {}

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what does not hold in this state."""
        known = (state.accepted, state.told, state.minutes)
        part = (state.items, state.books, state.published, *known)
        if part not in self._orders:
            self._orders[part] = tuple(self.judge(state))
        if self._orders[part] or state.queue or state.running:
            return self._orders[part]
        losses = state.budget.losses
        resting = state._replace(budget=Budget(losses=losses), lagging=None)
        if resting not in self._rest:
            self._rest[resting] = tuple(self._judge_rest(resting))
        return self._rest[resting]

    def noted(self, state: State) -> tuple[str, ...]:
        """Return nothing: a state is as it has to be, or broken."""
        return ()

    def _stored(self, state: State, table: str) -> dict[str, dict[str, Any]]:
        return {key: self._machine.items[item] for kind, key, item in state.items if kind == table}

    def judge(self, state: State) -> Iterator[str]:
        """Yield what does not hold, whatever is still in progress."""
        machine = self._machine
        orders, inventory = self._stored(state, "orders"), self._stored(state, "inventory")
        held: Counter[str] = Counter()
        for item in orders.values():
            if item["status"]["S"] in HOLDING:
                held[item["sku"]["S"]] += int(item["quantity"]["N"])
        for sku, item in inventory.items():
            available = int(item["available"]["N"])
            initial = machine.stock[sku]
            if available + held[sku] != initial:
                yield f"I1 of {initial} {sku}, {available} are available and {held[sku]} held"
            if available < 0:
                yield f"I2 {available} {sku} are available"
        for posts in machine.orders.values():
            customer = posts[0].customer
            stored = [orders[order_id] for order_id in posts[0].ids if order_id in orders]
            if len(stored) > 1:
                yield f"I11 there are {len(stored)} orders of {customer}, who posted one"
            yield from self._judge_money(state, customer, stored[0] if stored else None)
        for item in orders.values():
            yield from self._judge_path(item)
            yield from self._judge_resumes(state, item)
            yield from self._judge_place(item)
        yield from self._judge_events(state, orders)
        for accepted in state.accepted:
            if machine.posted(accepted) not in [_body(item) for item in orders.values()]:
                yield "I11 an order was accepted, and what is stored is not that order"
        if not set(orders) <= {one for posts in machine.orders.values() for one in posts[0].ids}:
            yield "I11 there is an order that nobody posted"
        if any(what == "failed" and order_id in orders for order_id, what in state.told):
            yield "I11 a customer got an error, and the order is stored"

    def _judge_money(self, state: State, customer: str, item: Any) -> Iterator[str]:
        status = item["status"]["S"] if item else "not stored"
        charges = [entry for entry in state.books if entry[0] == "charged" and entry[2] == customer]
        shipped = [entry for entry in state.books if entry[0] == "shipped" and entry[2] == customer]
        if len(charges) > 1:
            yield f"I3 the card of {customer} was charged {len(charges)} times"
        if any(item is None or entry[3] != item["amountCents"]["N"] for entry in charges):
            yield f"I3 the card of {customer} was charged another amount"
        if charges and status not in (
            "INVENTORY_RESERVED",
            "PAYMENT_CHARGED",
            "SHIPPING_SCHEDULED",
        ):
            yield f"I4/I6 {customer} was charged, and the order is {status}"
        if status in ("PAYMENT_CHARGED", "SHIPPING_SCHEDULED") and not charges:
            yield f"I5 {customer} was not charged, and the order is {status}"
        if shipped and not charges:
            yield f"I5 goods go to {customer}, who was not charged"
        if shipped and status not in ("PAYMENT_CHARGED", "SHIPPING_SCHEDULED"):
            yield f"I5 goods go to {customer}, and the order is {status}"
        if len(shipped) > 1:
            yield f"I12 goods go to {customer} {len(shipped)} times"

    def _judge_path(self, item: Any) -> Iterator[str]:
        path = tuple(step["M"]["status"]["S"] for step in item["history"]["L"])
        if not any(path == known[: len(path)] for known in STATUS_PATHS):
            yield f"I7 an order went {' → '.join(path)}"
        if item["status"]["S"] != path[-1]:
            yield f"I7 an order is {item['status']['S']} and came last to {path[-1]}"
        if ("openShard" in item) == (path[-1] in FINAL):
            yield f"I8 an order that is {path[-1]} is {'' if 'openShard' in item else 'not '}open"

    def _judge_place(self, item: Any) -> Iterator[str]:
        """Judge whether a run of the sweep can find an open order, or left it to a person."""
        shard = item["orderId"]["S"][0]
        found = {None, shard, "given-up"}
        if "nextAttemptAt" in item:
            found.add(f"deferred-{shard}")
        if item.get("openShard", {}).get("S") not in found:
            yield f"I8 no run finds an order that is {item['status']['S']}"

    def _judge_resumes(self, state: State, item: Any) -> Iterator[str]:
        """Judge whether the sweep resumed a step as rarely as it has to: after 4, 8, 16 minutes."""
        resumes = int(item.get("resumes", {"N": "0"})["N"])
        last_step_at = datetime.fromisoformat(item["history"]["L"][-1]["M"]["at"]["S"])
        stood = MORNING + state.passed - last_step_at
        if resumes and timedelta(0) <= stood < STALLED_AFTER * 2 ** (resumes - 1):
            yield f"I14 an order was resumed {resumes} times in {stood}"

    def _judge_events(self, state: State, orders: dict[str, Any]) -> Iterator[str]:
        texts: dict[tuple[str, str], str] = {}
        for number in state.published:
            event = self._machine.events[number]["event"]
            kind, order_id = event["detail-type"], event["detail"]["orderId"]
            if texts.setdefault((order_id, kind), event["text"]) != event["text"]:
                yield f"I10 {kind} of one order was published with different bytes"
            path = (
                [step["M"]["status"]["S"] for step in orders[order_id]["history"]["L"]]
                if order_id in orders
                else []
            )
            if STATUS_OF[kind] not in path:
                yield f"I10 {kind} was published, and the order never was {STATUS_OF[kind]}"

    def _judge_rest(self, state: State) -> Iterator[str]:
        """Judge a state at rest: what is open must be in a failure queue or due for the sweep."""
        machine, orders = self._machine, self._stored(state, "orders")
        failed = {self._order_of(delivery.event) for delivery in state.failed}
        published = {(self._order_of(event), self._kind_of(event)) for event in state.published}
        # Where the bus did not take an order's first event, or a customer without a key found the
        # order by looking for it, the sweep publishes it.
        unpublished = {order_id for order_id, _ in state.told}
        accepted = {machine.posted_id(event) for event in state.accepted} - unpublished
        for order_id, item in orders.items():
            status = item["status"]["S"]
            last = LAST_EVENT.get(status)
            if last and not {(order_id, last)} & published and order_id not in failed:
                yield f"I8 {last} was never published, and is in no failure queue"
            # Where no event was lost in delivery, no sweep should be needed.
            kept = machine.start.budget.losses == state.budget.losses and order_id in accepted
            if status not in FINAL and order_id not in failed and kept:
                yield f"I8 nothing moves an order any more that is {status}"
        resumes = max((int(o.get("resumes", {"N": "0"})["N"]) for o in orders.values()), default=0)
        swept = machine.swept(state, WAIT * 2**resumes)
        yield from self._judge_after(swept, "after one sweep", orders)
        redriven = machine.settle(state._replace(queue=tuple(sorted(state.failed)), failed=()))
        believed = {
            order_id
            for order_id in failed & set(orders)
            if orders[order_id]["outbox"]["M"]["detail"]["S"]
            in [machine.events[delivery.event]["event"]["text"] for delivery in state.failed]
        }
        yield from self._judge_after(redriven, "after one redrive", believed)

    def _judge_after(self, state: State, when: str, to_end: Iterable[str]) -> Iterator[str]:
        """Judge what a remedy led to: still everything holds, and these orders have ended."""
        yield from (f"{broken}, {when}" for broken in self.judge(state))
        orders = self._stored(state, "orders")
        for order_id in to_end:
            status = orders[order_id]["status"]["S"]
            if status not in FINAL:
                yield f"I9 an order is {status} {when}"

    def _order_of(self, event: int) -> str:
        return str(self._machine.events[event]["event"]["detail"]["orderId"])

    def _kind_of(self, event: int) -> str:
        return str(self._machine.events[event]["event"]["detail-type"])


def _body(item: Any) -> Order:
    """Return the order that an item was stored for."""
    customer, sku = item["customerId"]["S"], item["sku"]["S"]
    return Order(customer, sku, int(item["quantity"]["N"]), int(item["amountCents"]["N"]))

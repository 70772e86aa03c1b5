"""A deployment: the changed services go from one release to the next one by one, and back.

Any of it may happen at any moment: with orders half-way, events on their way or in failure queues,
crashes and duplicates. Rules change with the stack of their service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.simulation.code import Code
from tests.simulation.machine import Machine
from tests.simulation.state import Budget, Delivery, Move, Order, State

AS_IT_WAS, DEPLOYED, ROLLED_BACK = range(3)
# Rounds of redrive and sweep after which an order that has not ended never will.
ROUNDS = 4


@dataclass(frozen=True)
class Plan:
    """The order in which services are deployed, and whether they are rolled back after that.

    order: the services, first to last; they are rolled back last to first.
    any_order: any of them may come next, or go back next, instead.
    first: so many of them are deployed before the first order comes.
    """

    order: tuple[str, ...]
    any_order: bool = False
    rollback: bool = False
    first: int = 0


class Rollout(Machine):
    """The world in which some services change from the `old` release to the `new` one."""

    def __init__(
        self,
        old: Code,
        new: Code,
        plan: Plan,
        orders: Sequence[Order],
        stock: Mapping[str, int],
        budget: Budget,
        also_posted: Mapping[str, Any],
    ) -> None:
        self.codes, self.plan = (old, new), plan
        self.posts, self.extra = orders, also_posted
        self._place = {service: place for place, service in enumerate(plan.order)}
        super().__init__(old, orders, stock, budget, also_posted=also_posted)
        rollout = [DEPLOYED] * plan.first + [AS_IT_WAS] * (len(plan.order) - plan.first)
        self.start = self.start._replace(rollout=tuple(rollout))

    def release(self, state: State, service: str) -> int:
        """Return 1 for a service that is deployed, else 0."""
        place = self._place.get(service)
        return 0 if place is None else int(state.rollout[place] == DEPLOYED)

    def code(self, release: int) -> Code:
        """Return the code of a release."""
        return self.codes[release]

    def subscriptions(self, state: State) -> Mapping[str, tuple[str, str]]:
        """Return the rule of each service, which comes and goes with its stack."""
        services = {*self.codes[0].services, *self.codes[1].services}
        found = {
            service: self.codes[self.release(state, service)].subscriptions.get(service)
            for service in sorted(services)
        }
        return {service: rule for service, rule in found.items() if rule}

    def is_complete(self, state: State) -> bool:
        """Return whether nothing of the plan is left to do: all deployed, or all rolled back."""
        left = AS_IT_WAS if ROLLED_BACK not in state.rollout else DEPLOYED
        return left not in state.rollout

    def moves(self, state: State) -> Iterator[Move]:
        """Yield everything that can happen next."""
        yield from super().moves(state)
        if state.budget.losses:
            for delivery in dict.fromkeys(state.queue):
                if delivery.service not in ("create_order", "resume_orders"):
                    yield Move("dead-letter", delivery)
        for what, services in self._changes(state):
            # A service that nothing is delivered to just now can as well change later.
            if any(self.matters(state, service) for service in services):
                yield from (
                    Move(what, service)
                    for service in (services if self.plan.any_order else services[:1])
                    if not self.plan.any_order or self.matters(state, service)
                )

    def after(self, state: State, move: Move) -> State:
        """Return the state that follows when this happens."""
        match move.what:
            case "deploy" | "roll back":
                rollout = list(state.rollout)
                rollout[self._place[move.which]] += 1
                return state._replace(rollout=tuple(rollout))
            case "dead-letter":
                queue = list(state.queue)
                queue.remove(move.which)
                failed = tuple(sorted((*state.failed, move.which._replace(tries=3))))
                budget = state.budget._replace(losses=state.budget.losses - 1)
                return state._replace(queue=tuple(queue), failed=failed, budget=budget)
            case "start" if not self._exists(state, move.which):
                queue = list(state.queue)
                queue.remove(move.which)
                return state._replace(queue=tuple(queue))
        return super().after(state, move)

    def _changes(self, state: State) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield what can be done with which services, in order."""
        order, rollout = self.plan.order, state.rollout
        if ROLLED_BACK not in rollout:
            yield "deploy", [s for s, at in zip(order, rollout, strict=True) if at == AS_IT_WAS]
        if self.plan.rollback:
            yield (
                "roll back",
                [s for s, at in zip(order, rollout, strict=True) if at == DEPLOYED][::-1],
            )

    def matters(self, state: State, service: str) -> bool:
        """Return whether it can make a difference that a service changes now and not later."""
        if not (state.queue or state.running):
            return True
        old, new = (code.subscriptions.get(service) for code in self.codes)
        return old != new or any(delivery.service == service for delivery in state.queue)

    def _exists(self, state: State, delivery: Delivery) -> bool:
        return delivery.service in self.code(self.release(state, delivery.service)).services


class RolloutJudge:
    """Judges a rollout by what holds for every saga of this shop, whatever its statuses are."""

    def __init__(self, machine: Rollout) -> None:
        self._machine = machine
        declared = [one for code in machine.codes for one in code.participants.values()]
        finals = [
            {
                step.to
                for one in code.participants.values()
                for step in one.steps
                if step.final or step.publishes is None
            }
            for code in machine.codes
        ]
        self._final = finals[0] & finals[1]
        self._failures = {step.to for one in declared for step in one.steps if step.failure}
        self._held = {one.compensates for one in declared if one.compensates}
        self._released = {s.to for one in declared if one.compensates for s in one.steps}
        self._judged: dict[Any, tuple[str, ...]] = {}
        self._rest: dict[State, tuple[str, ...]] = {}

    def broken(self, state: State) -> tuple[str, ...]:
        """Return what never may be, or is left over when all of the plan is done."""
        part = (state.items, state.books, state.published)
        if part not in self._judged:
            self._judged[part] = tuple(self._judge(state))
        if not self._judged[part] and self._machine.is_complete(state):
            return self._left(state)
        return self._judged[part]

    def noted(self, state: State) -> tuple[str, ...]:
        """Return which orders wait for the rest of the plan."""
        return () if self._machine.is_complete(state) else self._left(state)

    def _left(self, state: State) -> tuple[str, ...]:
        if state.queue or state.running:
            return ()
        resting = state._replace(budget=Budget())
        if resting not in self._rest:
            self._rest[resting] = tuple(self._judge_rest(resting))
        return self._rest[resting]

    def _orders(self, state: State) -> dict[str, dict[str, Any]]:
        items = self._machine.items
        return {key: items[item] for table, key, item in state.items if table == "orders"}

    def _judge(self, state: State) -> Iterator[str]:
        machine, orders, held = self._machine, self._orders(state), dict[str, int]()
        for order_id, posted in machine.orders.items():
            history = _history(orders.get(order_id))
            if self._held & set(history) and not self._released & set(history):
                held[posted[0].sku] = held.get(posted[0].sku, 0) + posted[0].quantity
            yield from self._judge_money(state, posted[0], history)
            if len(set(history)) < len(history):
                yield f"an order went {' → '.join(history)}"
            if self._final & set(history[:-1]):
                yield f"an order went on after its end: {' → '.join(history)}"
        for table, sku, number in state.items:
            if table == "inventory":
                available = int(machine.items[number]["available"]["N"])
                if available + held.get(sku, 0) != machine.stock[sku] or available < 0:
                    yield (
                        f"of {machine.stock[sku]} {sku}, {available} are available "
                        f"and {held.get(sku, 0)} held"
                    )
        texts: dict[tuple[str, str], str] = {}
        for number in state.published:
            event = machine.events[number]["event"]
            kind = (event["detail"].get("orderId", ""), event["detail-type"])
            if texts.setdefault(kind, event["text"]) != event["text"]:
                yield f"{kind[1]} of one order was published with different bytes"

    def _judge_money(self, state: State, order: Order, history: Sequence[str]) -> Iterator[str]:
        charges = [one for one in state.books if one[0] == "charged" and one[2] == order.customer]
        shipped = [one for one in state.books if one[0] == "shipped" and one[2] == order.customer]
        if len(charges) > 1:
            yield f"the card of {order.customer} was charged {len(charges)} times"
        if any(charge[3] != str(order.amount) for charge in charges):
            yield f"the card of {order.customer} was charged another amount"
        if charges and (self._released | self._failures) & set(history):
            yield f"{order.customer} was charged, and the order is {history[-1]}"
        if shipped and not charges:
            yield f"goods go to {order.customer}, who was not charged"
        if len(shipped) > 1:
            yield f"goods go to {order.customer} {len(shipped)} times"

    def _judge_rest(self, state: State) -> Iterator[str]:
        """Yield the orders that neither retries nor redrives nor sweeps will end."""
        machine = self._machine
        for _ in range(ROUNDS):
            machine.error = None
            state = machine.settle(state._replace(queue=tuple(sorted(state.failed)), failed=()))
            state = machine.swept(state)
        yield from self._judge(state)
        for order_id, item in self._orders(state).items():
            customer = machine.orders[order_id][0].customer if order_id in machine.orders else "?"
            if "openShard" in item:
                why = self._why(state, item)
                yield f"the order of {customer} stays {item['status']['S']} for ever: {why}"
            elif any(one[0] == "charged" and one[2] == customer for one in state.books) and not any(
                one[0] == "shipped" and one[2] == customer for one in state.books
            ):
                yield f"{customer} was charged, and nothing was shipped"

    def _why(self, state: State, item: Any) -> str:
        if error := self._machine.error:
            return f"{type(error).__name__}: {error}"
        outbox = item.get("outbox", {}).get("M", {})
        kind = outbox.get("detailType", {}).get("S", "an event")
        rules = self._machine.subscriptions(state).values()
        if (kind, outbox.get("source", {}).get("S")) not in rules:
            return f"no service consumes {kind} now"
        return f"nothing follows on {kind}"


def _history(item: Any) -> list[str]:
    return [step["M"]["status"]["S"] for step in item["history"]["L"]] if item else []


def also_posted(*trees: Path) -> dict[str, Any]:
    """Return what customers post beside the usual fields, by the trees' samples of OrderCreated."""
    fields: dict[str, Any] = {}
    for tree in trees:
        sample = tree / "contracts/events/OrderCreated.sample.json"
        fields |= json.loads(sample.read_text())["detail"] if sample.exists() else {}
    return {
        name: value
        for name, value in fields.items()
        if name not in ("orderId", "createdAt", "traceparent")
    }

"""What must hold, whatever happens: after every step, and when everything has come to rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from tests.simulation.machine import Budget, Machine, Order, State

ENDS = {"SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED"}
HOLDING = {"INVENTORY_RESERVED", "PAYMENT_CHARGED", "PAYMENT_FAILED", "SHIPPING_SCHEDULED"}
WAYS = (
    ("CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED", "SHIPPING_SCHEDULED"),
    ("CREATED", "INVENTORY_FAILED"),
    ("CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED", "INVENTORY_RELEASED"),
)
SAID_AT = {
    "OrderCreated": "CREATED",
    "InventoryReserved": "INVENTORY_RESERVED",
    "InventoryFailed": "INVENTORY_FAILED",
    "PaymentCharged": "PAYMENT_CHARGED",
    "PaymentFailed": "PAYMENT_FAILED",
    "ShippingScheduled": "SHIPPING_SCHEDULED",
}
LAST_WORDS = {"SHIPPING_SCHEDULED": "ShippingScheduled", "INVENTORY_FAILED": "InventoryFailed"}
# Late enough for the sweep to find whatever stands still, and then some.
LATER = timedelta(minutes=5)


class Judge:
    """Judges the states of one machine; what it found of equal parts it does not judge again."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._orders: dict[Any, tuple[str, ...]] = {}
        self._rest: dict[State, tuple[str, ...]] = {}

    def broken(self, state: State) -> tuple[str, ...]:
        """Answer what does not hold in this state."""
        part = (state.items, state.books, state.said, state.accepted)
        if part not in self._orders:
            self._orders[part] = tuple(self.judge(state))
        if self._orders[part] or state.queue or state.running:
            return self._orders[part]
        losses = state.budget.losses
        resting = state._replace(budget=Budget(losses=losses))
        if resting not in self._rest:
            self._rest[resting] = tuple(self._judge_rest(resting))
        return self._rest[resting]

    def _stored(self, state: State, table: str) -> dict[str, dict[str, Any]]:
        return {key: self._machine.items[item] for kind, key, item in state.items if kind == table}

    def judge(self, state: State) -> Iterator[str]:
        """Yield what does not hold, whatever is still under way."""
        machine = self._machine
        orders, shelves = self._stored(state, "orders"), self._stored(state, "inventory")
        held: Counter[str] = Counter()
        for item in orders.values():
            if item["status"]["S"] in HOLDING:
                held[item["sku"]["S"]] += int(item["quantity"]["N"])
        for sku, item in shelves.items():
            available = int(item["available"]["N"])
            initial = machine.stock[sku]
            if available + held[sku] != initial:
                yield f"I1 of {initial} {sku}, {available} are on the shelf and {held[sku]} held"
            if available < 0:
                yield f"I2 the shelf has {available} {sku}"
        for order_id, posts in machine.orders.items():
            yield from self._judge_money(state, posts[0].customer, orders.get(order_id))
        for item in orders.values():
            yield from self._judge_way(item)
        yield from self._judge_words(state, orders)
        for accepted in state.accepted:
            if machine.posted(accepted) not in [_body(item) for item in orders.values()]:
                yield "I11 an order was accepted, and what is stored is not that order"
        if not set(orders) <= set(machine.orders):
            yield "I11 there is an order that nobody posted"

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

    def _judge_way(self, item: Any) -> Iterator[str]:
        way = tuple(step["M"]["status"]["S"] for step in item["history"]["L"])
        if not any(way == known[: len(way)] for known in WAYS):
            yield f"I7 an order went {' → '.join(way)}"
        if item["status"]["S"] != way[-1]:
            yield f"I7 an order is {item['status']['S']} and came last to {way[-1]}"
        if ("openShard" in item) == (way[-1] in ENDS):
            yield f"I8 an order that is {way[-1]} is {'' if 'openShard' in item else 'not '}open"

    def _judge_words(self, state: State, orders: dict[str, Any]) -> Iterator[str]:
        words: dict[tuple[str, str], str] = {}
        for number in state.said:
            event = self._machine.events[number]["event"]
            kind, order_id = event["detail-type"], event["detail"]["orderId"]
            if words.setdefault((order_id, kind), event["text"]) != event["text"]:
                yield f"I10 {kind} of one order was said in two ways"
            way = (
                [step["M"]["status"]["S"] for step in orders[order_id]["history"]["L"]]
                if order_id in orders
                else []
            )
            if SAID_AT[kind] not in way:
                yield f"I10 {kind} was said, and the order never was {SAID_AT[kind]}"

    def _judge_rest(self, state: State) -> Iterator[str]:
        """Judge a state in which nothing waits: what is open must have somebody to end it."""
        machine, orders = self._machine, self._stored(state, "orders")
        failed = {self._order_of(delivery.event) for delivery in state.failed}
        said = {(self._order_of(event), self._kind_of(event)) for event in state.said}
        accepted = {machine.posted(event).id for event in state.accepted}
        for order_id, item in orders.items():
            status = item["status"]["S"]
            last = LAST_WORDS.get(status)
            if last and not {(order_id, last)} & said and order_id not in failed:
                yield f"I8 {last} was never said, and waits in no failure queue"
            # Where no event was lost on the way, no sweep should be needed.
            kept = machine.start.budget.losses == state.budget.losses and order_id in accepted
            if status not in ENDS and order_id not in failed and kept:
                yield f"I8 nothing moves an order any more that is {status}"
        swept = machine.settle(state._replace(queue=(machine.sweep(later=LATER),)))
        yield from self._judge_after(swept, "after one sweep", orders)
        redriven = machine.settle(state._replace(queue=tuple(sorted(state.failed)), failed=()))
        believed = {
            order_id
            for order_id in failed & set(orders)
            if orders[order_id]["event"]["M"]["detail"]["S"]
            in [machine.events[delivery.event]["event"]["text"] for delivery in state.failed]
        }
        yield from self._judge_after(redriven, "after one redrive", believed)

    def _judge_after(self, state: State, when: str, to_end: Iterable[str]) -> Iterator[str]:
        """Judge what a remedy led to: still everything holds, and these orders have ended."""
        yield from (f"{broken}, {when}" for broken in self.judge(state))
        orders = self._stored(state, "orders")
        for order_id in to_end:
            status = orders[order_id]["status"]["S"]
            if status not in ENDS:
                yield f"I9 an order is {status} {when}"

    def _order_of(self, event: int) -> str:
        return str(self._machine.events[event]["event"]["detail"]["orderId"])

    def _kind_of(self, event: int) -> str:
        return str(self._machine.events[event]["event"]["detail-type"])


def _body(item: Any) -> Order:
    """Answer the order that an item was stored for."""
    customer, sku = item["customerId"]["S"], item["sku"]["S"]
    return Order(customer, sku, int(item["quantity"]["N"]), int(item["amountCents"]["N"]))

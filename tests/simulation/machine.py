"""The world around the handlers: its states, and how they change.

A state is a value: what is stored, what waits, which handlers are half-way and with which
responses, what the partners have in their books, and how much may still go wrong. `Machine.moves`
names what can happen next, and `Machine.after` returns the state that follows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from tests.memory import MemoryDynamoDB
from tests.simulation.code import Answered, Call, Code, Ended
from tests.simulation.faults import FAULTS, LOST, WITHOUT_EFFECT, kind_of, timed_out
from tests.simulation.partners import book, charge, forget
from tests.simulation.state import (
    MORNING,
    TRIES,
    Budget,
    Delivery,
    Move,
    Order,
    Running,
    State,
    Table,
)
from tests.world import request


class Machine:
    """The world in which one version of the code runs."""

    def __init__(
        self,
        code: Code,
        orders: Sequence[Order],
        stock: Mapping[str, int],
        budget: Budget,
        forgeries: Sequence[Mapping[str, Any]] = (),
        clock: Callable[[], datetime] = lambda: MORNING,
        also_posted: Mapping[str, Any] | None = None,
    ) -> None:
        self.orders: dict[str, list[Order]] = {}
        self._clock = clock
        self.stock = dict(stock)
        self.items, self.events, self.calls, self.answers = Table(), Table(), Table(), Table()
        self._code = code
        self._forged = [self._event(forged) for forged in forgeries]
        self._next: dict[tuple[int, str, int, tuple[int, ...]], Call | Ended] = {}
        self._stored: dict[tuple[Any, int], tuple[Any, int]] = {}
        stocked = [
            (
                "inventory",
                sku,
                self.items.number({"sku": {"S": sku}, "available": {"N": str(units)}}),
            )
            for sku, units in stock.items()
        ]
        self._also_posted = also_posted or {}
        self.start = State(tuple(sorted(stocked)), (), (), (), (), (), (), budget)
        self.error: Exception | None = None  # the one that ended a handler last
        for order in orders:
            self.start = self.post(self.start, order)

    def post(self, state: State, order: Order) -> State:
        """Let a customer post an order."""
        self.orders.setdefault(order.id, []).append(order)
        body = {
            **self._also_posted,
            "customerId": order.customer,
            "sku": order.sku,
            "quantity": order.quantity,
            "amountCents": order.amount,
        }
        posted = self._event(request(body=body, headers={"idempotency-key": order.customer}))
        return state._replace(queue=_with(state.queue, Delivery("create_order", posted, TRIES)))

    # What can happen

    def moves(self, state: State) -> Iterator[Move]:
        """Yield everything that can happen next."""
        budget = state.budget
        if len(state.running) < budget.at_once:
            for delivery in dict.fromkeys(state.queue):
                yield Move("start", delivery)
        for running in dict.fromkeys(state.running):
            yield Move("answer", running)
            kind = self.kind(running)
            if budget.faults:
                for fault in FAULTS[kind]:
                    yield Move("answer", running, fault)
            if budget.losses and kind == "events":
                yield Move("answer", running, LOST)
        if budget.duplicates:
            for event in state.published:
                for service in self.consumers(state, event):
                    yield Move("deliver again", Delivery(service, event, TRIES))
        if budget.forgeries:
            for event in self._forged:
                for service in self.consumers(state, event):
                    yield Move("forge", Delivery(service, event, TRIES))
        if budget.sweeps:
            yield Move("sweep", self.sweep(all_open=True))
        if budget.forgettings and state.books and not self._charges(state):
            yield Move("forget")

    def after(self, state: State, move: Move) -> State:
        """Return the state that follows when this happens."""
        budget = state.budget
        match move.what:
            case "start":
                queue = _without(state.queue, move.which)
                state = state._replace(queue=queue)
                return self._go_on(state, move.which, (), self.release(state, move.which.service))
            case "answer":
                if move.how == LOST:
                    state = state._replace(budget=budget._replace(losses=budget.losses - 1))
                elif move.how:
                    state = state._replace(budget=budget._replace(faults=budget.faults - 1))
                return self._answer(state, move.which, move.how)
            case "deliver again":
                left = budget._replace(duplicates=budget.duplicates - 1)
            case "forge":
                left = budget._replace(forgeries=budget.forgeries - 1)
            case "sweep":
                left = budget._replace(sweeps=budget.sweeps - 1)
            case "forget":
                left = budget._replace(forgettings=budget.forgettings - 1)
                return state._replace(books=forget(state.books), budget=left)
            case _:
                raise NotImplementedError(move)
        return state._replace(queue=_with(state.queue, move.which), budget=left)

    def consumers(self, state: State, event: int) -> Sequence[str]:
        """Return the services that the bus delivers an event to, by the rules there are now."""
        envelope = self.events[event]["event"]
        return [
            service
            for service, rule in self.subscriptions(state).items()
            if rule == (envelope["detail-type"], envelope["source"])
        ]

    def subscriptions(self, state: State) -> Mapping[str, tuple[str, str]]:
        """Return the rule of each service that has one: a detail-type and a source."""
        return self._code.subscriptions

    def release(self, state: State, service: str) -> int:
        """Return the release that a handler begins with now: its number."""
        return 0

    def code(self, release: int) -> Code:
        """Return the code of a release."""
        return self._code

    def kind(self, running: Running) -> str:
        """Return the kind of the call that a handler makes: what FAULTS knows it by."""
        return kind_of(self.calls[running.call])

    def sweep(self, *, all_open: bool = False, later: timedelta = timedelta(0)) -> Delivery:
        """Return the sweep's tick, so much later than everything else."""
        tick = self._event({"allOpen": all_open}, MORNING + later)
        return Delivery("resume_orders", tick, 1)

    def settle(self, state: State) -> State:
        """Return the state in which everything rests, when nothing more goes wrong."""
        state = state._replace(budget=Budget())
        while state.running or state.queue:
            if state.running:
                state = self.after(state, Move("answer", state.running[0]))
            else:
                state = self.after(state, Move("start", state.queue[0]))
        return state

    def posted(self, event: int) -> Order:
        """Return the order of a POST."""
        body = json.loads(self.events[event]["event"]["body"])
        return Order(body["customerId"], body["sku"], body["quantity"], body["amountCents"])

    # How it happens

    def _go_on(
        self, state: State, delivery: Delivery, answers: tuple[int, ...], release: int
    ) -> State:
        """Let a handler run to its next call, or to its end."""
        asked = (release, delivery.service, delivery.event, answers)
        if asked not in self._next:
            event = self.events[delivery.event]
            given = [self.answers[number] for number in answers]
            self._next[asked] = self.code(release).run(
                delivery.service, event["event"], event["now"], given
            )
        match self._next[asked]:
            case Ended(error=None) as ended:
                return self._ended(state, delivery, ended.result)
            case Ended(error=error):
                self.error = error
                return self._try_again(state, delivery)
            case call:
                pass
        if call.operation == "query":
            # An index may lag behind, so that it matters little when it is read: at once.
            state, answered = self._take(state, call)
            return self._go_on(state, delivery, (*answers, answered), release)
        running = Running(delivery, answers, self.calls.number(call, _key(call)), release)
        return state._replace(running=_with(state.running, running))

    def _ended(self, state: State, delivery: Delivery, result: Any) -> State:
        if delivery.service != "create_order":
            return state
        if result["statusCode"] >= 500:
            return self._try_again(state, delivery)
        if result["statusCode"] == 202:
            return state._replace(accepted=tuple(sorted({*state.accepted, delivery.event})))
        return state

    def _try_again(self, state: State, delivery: Delivery) -> State:
        """Queue a failed delivery again, or end it: in the failure queue, if it is an event."""
        if delivery.tries > 1:
            again = delivery._replace(tries=delivery.tries - 1)
            return state._replace(queue=_with(state.queue, again))
        if delivery.service in ("create_order", "resume_orders"):
            return state
        return state._replace(failed=_with(state.failed, delivery._replace(tries=TRIES)))

    def _answer(self, state: State, running: Running, fault: str) -> State:
        """Let a call take effect, or not, and its handler go on, or not."""
        delivery, answers, number, release = running
        call = self.calls[number]
        state = state._replace(running=_without(state.running, running))
        if fault == "crash before":
            return self._try_again(state, delivery)
        if fault in WITHOUT_EFFECT:
            return self._go_on(
                state,
                delivery,
                (*answers, self._number(Answered(error=WITHOUT_EFFECT[fault]), fault)),
                release,
            )
        if fault == "refused entry":
            refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
            answer = {"FailedEntryCount": 1, "Entries": [refused]}
            refusal = self._number(Answered(answer), fault)
            return self._go_on(state, delivery, (*answers, refusal), release)
        state, answered = self._take(state, call, lost=fault == LOST)
        if fault == "sent twice":
            state, answered = self._take(state, call)
        if fault == "crash after":
            return self._try_again(state, delivery)
        if fault == "timed out":
            answered = self._number(Answered(error=timed_out), fault)
        return self._go_on(state, delivery, (*answers, answered), release)

    def _number(self, answered: Answered, key: str) -> int:
        return self.answers.number(answered, key)

    def _take(self, state: State, call: Call, *, lost: bool = False) -> tuple[State, int]:
        """Let a call take effect; return the state after it, and the number of its response."""
        match call.to:
            case "dynamodb":
                number = self.calls.number(call, _key(call))
                if (state.items, number) not in self._stored:
                    self._stored[state.items, number] = self._store(state.items, call)
                items, answer = self._stored[state.items, number]
                return state._replace(items=items), answer
            case "events":
                [entry] = call.arguments["Entries"]
                event = self._event(_delivered(entry))
                queue = state.queue
                for service in [] if lost else self.consumers(state, event):
                    queue = _with(queue, Delivery(service, event, TRIES))
                published = tuple(sorted({*state.published, event}))
                accepted = {"FailedEntryCount": 0, "Entries": [{"EventId": "any"}]}
                return state._replace(queue=queue, published=published), self._number(
                    Answered(accepted), "accepted"
                )
            case "gateway":
                books, answer = charge(state.books, call.arguments)
                return state._replace(books=books), self._number(
                    Answered(answer), f"payment {answer}"
                )
        books, tracking = book(state.books, call.arguments)
        return state._replace(books=books), self._number(Answered(tracking), tracking)

    def _store(self, items: Any, call: Call) -> tuple[Any, int]:
        """Let the in-memory DynamoDB take a call."""
        dynamodb = MemoryDynamoDB({"orders": "orderId", "inventory": "sku"})
        for table, key, number in items:
            dynamodb.tables[table][key] = self.items[number]
        try:
            answer = getattr(dynamodb, call.operation)(**call.arguments)
            answered = self._number(Answered(answer), json.dumps(answer, sort_keys=True))
        except ClientError as raised:
            kind, response, operation = type(raised), raised.response, raised.operation_name
            key = f"{kind.__name__} {json.dumps(response, sort_keys=True)}"
            answered = self._number(
                Answered(error=lambda: kind(response, operation)),
                key,
            )
        known = {(table, key): number for table, key, number in items}
        stored = []
        for table, found in dynamodb.tables.items():
            for key, item in found.items():
                number = known.get((table, key))
                if number is None or self.items[number] is not item:
                    number = self.items.number(item)
                stored.append((table, key, number))
        return tuple(sorted(stored)), answered

    def _event(self, event: Mapping[str, Any], now: datetime | None = None) -> int:
        return self.events.number({"event": event, "now": now or self._clock()})

    def _charges(self, state: State) -> bool:
        """Return whether a charge is in progress: providers keep keys for longer than one takes."""
        if any(running.delivery.service == "charge_payment" for running in state.running):
            return True
        stored = (self.items[item] for table, _, item in state.items if table == "orders")
        return any(item["status"]["S"] == "INVENTORY_RESERVED" for item in stored)


def _delivered(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as EventBridge delivers it."""
    return {
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "detail": json.loads(entry["Detail"]),
        "text": entry["Detail"],
    }


def _key(call: Call) -> str:
    return f"{call.to} {call.operation} {json.dumps(call.arguments, sort_keys=True, default=str)}"


def _with(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return tuple(sorted((*values, value)))


def _without(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    place = values.index(value)
    return values[:place] + values[place + 1 :]

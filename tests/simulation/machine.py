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
from tests.simulation import partners
from tests.simulation.code import Answered, Call, Code, Ended
from tests.simulation.faults import FAULTS, LOST, WITHOUT_EFFECT, kind_of, timed_out
from tests.simulation.state import (
    MORNING,
    TRIES,
    WAIT,
    Budget,
    Delivery,
    Move,
    Order,
    Running,
    State,
    Table,
    minted,
)
from tests.world import request

# What the partners do, by the calls that handlers make of them.
PARTNERS = {
    ("gateway", "charge"): partners.charge,
    ("gateway", "find"): partners.find_charge,
    ("carrier", "book"): partners.book,
    ("carrier", "find"): partners.find_booking,
}


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
        ahead: timedelta = timedelta(0),
    ) -> None:
        self.orders: dict[str, list[Order]] = {}
        self._clock = clock
        self._ahead = ahead  # of the clock of create_order
        self.stock = dict(stock)
        self.items, self.events, self.calls, self.answers = Table(), Table(), Table(), Table()
        self._code = code
        self._forged = [self._event(forged) for forged in forgeries]
        self._next: dict[Any, tuple[Call | Ended, tuple[int, ...]]] = {}
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
        posted = request(body=body, headers={"idempotency-key": order.customer})
        if not order.has_key:
            posted = request(body=body)
            posted["requestContext"]["requestId"] = f"{order.customer} 0"
        delivery = Delivery("create_order", self._event(posted), TRIES)
        return state._replace(queue=_with(state.queue, delivery))

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
        if budget.ticks:
            yield Move("tick", self.sweep())
        # No handler takes minutes: what is half-way when they are over has crashed before.
        if budget.waits and not state.running:
            yield Move("wait")
        if budget.days and not state.running:
            yield Move("day")
        if budget.lags and state.lagging is None:
            yield Move("lag")
        if state.lagging is not None:
            yield Move("catch up")

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
            case "tick":
                left = budget._replace(ticks=budget.ticks - 1)
            case "wait":
                left = budget._replace(waits=budget.waits - 1)
                return state._replace(minutes=state.minutes + WAIT, budget=left)
            case "day":
                left = budget._replace(days=budget.days - 1)
                minutes = state.minutes + 24 * 60
                books = partners.pass_a_day(state.books)
                return state._replace(books=books, minutes=minutes, budget=left)
            case "lag":
                left = budget._replace(lags=budget.lags - 1)
                return state._replace(lagging=state.items, budget=left)
            case "catch up":
                return state._replace(lagging=None)
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

    def sweep(self, *, all_open: bool = False) -> Delivery:
        """Return a run of the sweep: by its schedule, or by a person over all open orders."""
        return Delivery("resume_orders", self._event({"allOpen": all_open}, MORNING), 1)

    def swept(self, state: State, minutes: int = WAIT, *, all_open: bool = False) -> State:
        """Return the state in which everything rests after one more run, so many minutes later."""
        later = state._replace(minutes=state.minutes + minutes)
        return self.settle(later._replace(queue=(self.sweep(all_open=all_open),)))

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

    def posted_id(self, event: int) -> str:
        """Return the id of the order of a POST."""
        request_id = self._request_id(event)
        return str(minted(request_id)) if request_id else self.posted(event).id

    def _request_id(self, event: int) -> str | None:
        """Return the id of a POST without a key; None of another delivery."""
        context = self.events[event]["event"].get("requestContext", {})
        return str(context["requestId"]) if "requestId" in context else None

    # How it happens

    def _go_on(
        self, state: State, delivery: Delivery, answers: tuple[int, ...], release: int
    ) -> State:
        """Let a handler run to its next call, or to its end.

        An index may lag behind, so that it matters little when it is read: at once.
        """
        index = state.items if state.lagging is None else state.lagging
        reads = index if delivery.service == "resume_orders" else None
        asked = (release, delivery.service, delivery.event, state.minutes, answers, reads)
        if asked not in self._next:
            event = self.events[delivery.event]
            given = [self.answers[number] for number in answers]
            ahead = self._ahead if delivery.service == "create_order" else timedelta(0)
            now = event["now"] + state.passed + ahead
            read: list[int] = []

            def query(call: Call) -> Answered:
                read.append(self._stores(index, call)[1])
                answered: Answered = self.answers[read[-1]]
                return answered

            code = self.code(release)
            came = code.run(delivery.service, event["event"], now, given, query)
            self._next[asked] = came, (*answers, *read)
        came, answers = self._next[asked]
        match came:
            case Ended(error=None) as ended:
                return self._ended(state, delivery, ended)
            case Ended(error=error):
                self.error = error
                if delivery.service == "create_order":
                    state = self._tell(state, delivery, "failed")
                return self._try_again(state, delivery)
            case call:
                pass
        running = Running(delivery, answers, self.calls.number(call, _key(call)), release)
        return state._replace(running=_with(state.running, running))

    def _ended(self, state: State, delivery: Delivery, ended: Ended) -> State:
        if delivery.service != "create_order":
            return state
        if any("unpublishedOrders" in line for line in ended.logged):
            state = self._tell(state, delivery, "unpublished")
        if ended.result["statusCode"] >= 500:
            if self._request_id(delivery.event):
                return self._obey(state, delivery, ended.result["headers"].get("Location"))
            return self._try_again(state, delivery)
        if ended.result["statusCode"] == 202:
            return _accept(state, delivery)
        return state

    def _tell(self, state: State, delivery: Delivery, what: str) -> State:
        told = (self.posted_id(delivery.event), what)
        return state._replace(told=tuple(sorted({*state.told, told})))

    def _obey(self, state: State, delivery: Delivery, location: str | None) -> State:
        """Let a customer without a key look for the order, if told where, or post it again."""
        stored = {f"/orders/{key}" for table, key, _ in state.items if table == "orders"}
        if location in stored:
            return _accept(self._tell(state, delivery, "unknown"), delivery)
        if delivery.tries == 1:
            return state
        posted = self.events[delivery.event]
        tries = delivery.tries - 1
        customer = self.posted(delivery.event).customer
        context = posted["event"]["requestContext"] | {"requestId": f"{customer} {TRIES - tries}"}
        event = self._event({**posted["event"], "requestContext": context}, posted["now"])
        return state._replace(queue=_with(state.queue, Delivery("create_order", event, tries)))

    def _try_again(self, state: State, delivery: Delivery) -> State:
        """Queue a failed delivery again, or end it: in the failure queue, if it is an event.

        A customer without a key, and without a response, does not know whether to post again.
        """
        if self._request_id(delivery.event):
            return state
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
                items, answer = self._stores(state.items, call)
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
        books, answer = PARTNERS[call.to, call.operation](state.books, call.arguments)
        return state._replace(books=books), self._number(Answered(answer), f"{call.to} {answer}")

    def _stores(self, items: Any, call: Call) -> tuple[Any, int]:
        """Return the items after a call, and the number of its response."""
        number = self.calls.number(call, _key(call))
        if (items, number) not in self._stored:
            self._stored[items, number] = self._store(items, call)
        return self._stored[items, number]

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


def _accept(state: State, delivery: Delivery) -> State:
    return state._replace(accepted=tuple(sorted({*state.accepted, delivery.event})))


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

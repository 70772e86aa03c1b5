"""AWS, the payment provider and the carrier around the handlers: states, and how they change.

A state is a value: what is stored, what waits, which handlers are half-way and with which answers,
what the partners have in their books, and how much may still go wrong. `Machine.moves` names what
can happen next, and `Machine.after` answers the state that follows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from botocore.exceptions import ClientError, ReadTimeoutError

from contracts import CONTRACTS
from create_order.api import ORDERS
from plumbing.step import written
from plumbing.trace import traceparent
from tests.memory import MemoryDynamoDB, TransactionCanceledException
from tests.simulation.code import Answered, Call, Code, Ended
from tests.world import HEARD_BY, request, sample

TRIES = 3  # Lambda's own, of an event
MORNING = datetime(2026, 1, 31, 9, tzinfo=UTC)
WRITES = {"put_item", "update_item", "transact_write_items"}


class Order(NamedTuple):
    """What a customer posts, with a key of theirs; posted again by them if it fails."""

    customer: str
    sku: str
    quantity: int = 1
    amount: int = 500

    @property
    def id(self) -> str:
        """Answer the id that the order will have."""
        return str(uuid5(ORDERS, self.customer))


class Budget(NamedTuple):
    """How much may still go wrong or come unasked."""

    faults: int = 0  # of calls: see FAULTS
    losses: int = 0  # of events that the bus accepted
    duplicates: int = 0  # of anything that was ever said
    forgeries: int = 0
    sweeps: int = 0
    forgettings: int = 0
    at_once: int = 2  # handlers that run at the same time


class Delivery(NamedTuple):
    """An event, a request or a tick on its way to a service, to be tried so many times."""

    service: str
    event: int
    tries: int


class Running(NamedTuple):
    """A handler half-way: its delivery, the answers that it got, and the call that it makes."""

    delivery: Delivery
    answers: tuple[int, ...]
    call: int


class State(NamedTuple):
    """Everything, at one moment. Each part is sorted, so that equal states are equal values."""

    items: tuple[tuple[str, str, int], ...]
    queue: tuple[Delivery, ...]
    running: tuple[Running, ...]
    failed: tuple[Delivery, ...]
    books: tuple[tuple[str, ...], ...]
    said: tuple[int, ...]
    accepted: tuple[int, ...]
    budget: Budget


class Move(NamedTuple):
    """Something that can happen: what, to which part of the state, and how."""

    what: str
    which: Any = None
    how: str = ""


class Table:
    """Values under small numbers, the same value always under the same."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[str, int] = {}

    def number(self, value: Any, key: str | None = None) -> int:
        """Answer the number of a value; `key` is what makes it what it is (default: its JSON)."""
        key = json.dumps(value, sort_keys=True, default=str) if key is None else key
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]

    def __getitem__(self, number: int) -> Any:
        return self.values[number]


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
    ) -> None:
        self.orders: dict[str, list[Order]] = {}
        self._clock = clock
        self.stock = dict(stock)
        self.items, self.events, self.calls, self.answers = Table(), Table(), Table(), Table()
        self._code = code
        self._forged = [self._event(forged) for forged in forgeries]
        self._next: dict[tuple[str, int, tuple[int, ...]], Call | Ended] = {}
        self._stored: dict[tuple[Any, int], tuple[Any, int]] = {}
        shelves = [
            (
                "inventory",
                sku,
                self.items.number({"sku": {"S": sku}, "available": {"N": str(units)}}),
            )
            for sku, units in stock.items()
        ]
        self.start = State(tuple(sorted(shelves)), (), (), (), (), (), (), budget)
        for order in orders:
            self.start = self.post(self.start, order)

    def post(self, state: State, order: Order) -> State:
        """Let a customer post an order."""
        self.orders.setdefault(order.id, []).append(order)
        body = {
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
            for event in state.said:
                for service in HEARD_BY[self.events[event]["event"]["detail-type"]]:
                    yield Move("deliver again", Delivery(service, event, TRIES))
        if budget.forgeries:
            for event in self._forged:
                for service in HEARD_BY[self.events[event]["event"]["detail-type"]]:
                    yield Move("forge", Delivery(service, event, TRIES))
        if budget.sweeps:
            yield Move("sweep", self.sweep(all_open=True))
        if budget.forgettings and state.books and not self._charges(state):
            yield Move("forget")

    def after(self, state: State, move: Move) -> State:
        """Answer the state that follows when this happens."""
        budget = state.budget
        match move.what:
            case "start":
                queue = _without(state.queue, move.which)
                return self._go_on(state._replace(queue=queue), move.which, ())
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
                books = tuple(sorted({*state.books, ("forgot",)}))
                return state._replace(books=books, budget=left)
            case _:
                raise NotImplementedError(move)
        return state._replace(queue=_with(state.queue, move.which), budget=left)

    def kind(self, running: Running) -> str:
        """Answer the kind of the call that a handler makes: what FAULTS knows it by."""
        return _kind(self.calls[running.call])

    def told(self, running: Running) -> str:
        """Put the call that a handler makes into words."""
        return self._told(self.calls[running.call])

    def sweep(self, *, all_open: bool = False, later: timedelta = timedelta(0)) -> Delivery:
        """Answer the sweep's tick, so much later than everything else."""
        tick = self._event({"allOpen": all_open}, MORNING + later)
        return Delivery("resume_orders", tick, 1)

    def settle(self, state: State) -> State:
        """Answer how everything comes to rest when nothing more goes wrong."""
        state = state._replace(budget=Budget())
        while state.running or state.queue:
            if state.running:
                state = self.after(state, Move("answer", state.running[0]))
            else:
                state = self.after(state, Move("start", state.queue[0]))
        return state

    def posted(self, event: int) -> Order:
        """Answer the order of a POST."""
        body = json.loads(self.events[event]["event"]["body"])
        return Order(body["customerId"], body["sku"], body["quantity"], body["amountCents"])

    # How it is told

    def tell(self, move: Move) -> str:
        """Put a move into words."""
        match move.what:
            case "start":
                return f"{self._about(move.which)} begins"
            case "answer":
                running: Running = move.which
                said = f"{self._about(running.delivery)}: {self._told(self.calls[running.call])}"
                return f"{said} {WORDS[move.how]}"
            case "forget":
                return "a day passes, and the payment provider forgets its idempotency keys"
            case "sweep":
                return "somebody has all open orders resumed"
            case _:
                delivery: Delivery = move.which
                event = self.events[delivery.event]["event"]
                again = "a late duplicate of" if move.what == "deliver again" else "a forged"
                return f"{again} {event['detail-type']} comes to {delivery.service}"

    def _about(self, delivery: Delivery) -> str:
        event = self.events[delivery.event]["event"]
        if delivery.service == "resume_orders":
            return delivery.service
        if delivery.service == "create_order":
            order = f" for {json.loads(event['body'])['customerId']}"
        else:
            order = f" for {event['detail']['customerId']}"
        tries = TRIES - delivery.tries
        return delivery.service + order + (f", try {tries + 1}" if tries else "")

    def _told(self, call: Call) -> str:
        match call.operation:
            case "put_events":
                [entry] = call.arguments["Entries"]
                return f"says {entry['DetailType']}"
            case "charge":
                return "charges the card"
            case "book":
                return "books the shipment"
            case "get_item":
                return "reads the order"
            case "query":
                return "looks for open orders"
            case "transact_write_items":
                return "writes order and stock together"
        return f"writes the order ({call.operation})"

    # How it happens

    def _go_on(self, state: State, delivery: Delivery, answers: tuple[int, ...]) -> State:
        """Let a handler run to its next call, or to its end."""
        asked = (delivery.service, delivery.event, answers)
        if asked not in self._next:
            event = self.events[delivery.event]
            given = [self.answers[number] for number in answers]
            self._next[asked] = self._code.run(
                delivery.service, event["event"], event["now"], given
            )
        match self._next[asked]:
            case Ended(error=None) as ended:
                return self._ended(state, delivery, ended.result)
            case Ended():
                return self._try_again(state, delivery)
            case call:
                pass
        if call.operation == "query":
            # An index may lag behind, so that it matters little when it is read: at once.
            state, answered = self._take(state, call)
            return self._go_on(state, delivery, (*answers, answered))
        running = Running(delivery, answers, self.calls.number(call, _key(call)))
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
        """Queue a delivery that failed, or end it: in the failure queue, if it is an event."""
        if delivery.tries > 1:
            again = delivery._replace(tries=delivery.tries - 1)
            return state._replace(queue=_with(state.queue, again))
        if delivery.service in ("create_order", "resume_orders"):
            return state
        return state._replace(failed=_with(state.failed, delivery._replace(tries=TRIES)))

    def _answer(self, state: State, running: Running, fault: str) -> State:
        """Let a call take effect, or not, and its handler go on, or not."""
        delivery, answers, number = running
        call = self.calls[number]
        state = state._replace(running=_without(state.running, running))
        if fault == "crash before":
            return self._try_again(state, delivery)
        if fault in BEFORE:
            return self._go_on(
                state, delivery, (*answers, self._number(Answered(error=BEFORE[fault]), fault))
            )
        if fault == "refused entry":
            refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
            answer = {"FailedEntryCount": 1, "Entries": [refused]}
            return self._go_on(state, delivery, (*answers, self._number(Answered(answer), fault)))
        state, answered = self._take(state, call, lost=fault == LOST)
        if fault == "sent twice":
            state, answered = self._take(state, call)
        if fault == "crash after":
            return self._try_again(state, delivery)
        if fault == "timed out":
            answered = self._number(Answered(error=_timed_out), fault)
        return self._go_on(state, delivery, (*answers, answered))

    def _number(self, answered: Answered, key: str) -> int:
        return self.answers.number(answered, key)

    def _take(self, state: State, call: Call, *, lost: bool = False) -> tuple[State, int]:
        """Let a call take effect; answer the state after it, and the number of what it answers."""
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
                hearers = [] if lost else HEARD_BY[entry["DetailType"]]
                queue = state.queue
                for service in hearers:
                    queue = _with(queue, Delivery(service, event, TRIES))
                said = tuple(sorted({*state.said, event}))
                accepted = {"FailedEntryCount": 0, "Entries": [{"EventId": "any"}]}
                return state._replace(queue=queue, said=said), self._number(
                    Answered(accepted), "accepted"
                )
            case "gateway":
                books, answer = _charge(state.books, call.arguments)
                return state._replace(books=books), self._number(
                    Answered(answer), f"payment {answer}"
                )
        books, tracking = _book(state.books, call.arguments)
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
        """Tell whether a charge is under way: providers keep keys for longer than that takes."""
        if any(running.delivery.service == "charge_payment" for running in state.running):
            return True
        standing = (self.items[item] for table, _, item in state.items if table == "orders")
        return any(item["status"]["S"] == "INVENTORY_RESERVED" for item in standing)


def _charge(books: tuple[Any, ...], asked: Mapping[str, Any]) -> tuple[tuple[Any, ...], Any]:
    """Charge as a provider does that answers the same to the same key until it forgets.

    It declines CUST-DECLINE, until it has forgotten: by then there is money on the card.
    """
    key, customer, amount = str(asked["key"]), asked["customer"], str(asked["amount"])
    forgot = ("forgot",) in books or asked["key"] is None
    answered = {entry[1]: entry for entry in books if entry[0] in ("charged", "declined")}
    payment_id = str(uuid5(NAMESPACE_URL, f"payment {key}"))
    if key in answered and not forgot:
        return books, None if answered[key][0] == "declined" else payment_id
    if customer.startswith("CUST-DECLINE") and ("forgot",) not in books:
        return tuple(sorted({*books, ("declined", key, customer)})), None
    # Charged a second time is a second entry, whatever the key.
    times = str(sum(entry[0] == "charged" and entry[2] == customer for entry in books))
    return tuple(sorted({*books, ("charged", key, customer, amount, times)})), payment_id


def _book(books: tuple[Any, ...], asked: Mapping[str, Any]) -> tuple[tuple[Any, ...], str]:
    """Book as a carrier does that answers the same to the same key."""
    key, customer = asked["key"], asked["customer"]
    bookings = sum(entry[0] == "shipped" and entry[2] == customer for entry in books)
    booked = ("shipped", str(key), customer, "0" if key else str(bookings))
    tracking = f"TRK-{uuid5(NAMESPACE_URL, f'shipment {key}').hex[:8].upper()}"
    return tuple(sorted({*books, booked})), tracking


def _delivered(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Answer an entry as EventBridge delivers it."""
    envelope = sample(entry["DetailType"])
    detail = json.loads(entry["Detail"])
    return {**envelope, "source": entry["Source"], "detail": detail, "text": entry["Detail"]}


def forged(detail_type: str, order: Order, **fields: Any) -> dict[str, Any]:
    """Answer an event of an order as somebody could say it who knows its fields, but for these."""
    contract = next(c for c in CONTRACTS if c.detail_type == detail_type)
    true = {
        "orderId": order.id,
        "createdAt": written(MORNING),
        "traceparent": traceparent(None, otherwise=UUID(order.id)),
        "customerId": order.customer,
        "sku": order.sku,
        "quantity": order.quantity,
        "amountCents": order.amount,
        "reservationId": str(uuid5(UUID(order.id), "reservation")),
        "paymentId": str(uuid5(NAMESPACE_URL, f"payment {order.id}")),
        "reason": "card declined",
    }
    detail = {name: true[name] for name in json.loads(contract.sample.read_text())["detail"]}
    return {**sample(detail_type), "detail": {**detail, **fields}, "text": "forged"}


def _key(call: Call) -> str:
    return f"{call.to} {call.operation} {json.dumps(call.arguments, sort_keys=True, default=str)}"


def _kind(call: Call) -> str:
    if call.to != "dynamodb":
        return call.to
    if call.operation in WRITES:
        return "create" if call.operation == "put_item" else "write"
    return "read"


def _with(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return tuple(sorted((*values, value)))


def _without(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    place = values.index(value)
    return values[:place] + values[place + 1 :]


def _throttled() -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "any")


def _conflict() -> Exception:
    reasons: Any = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    error: Any = {"Code": "TransactionCanceledException", "Message": "conflict"}
    return TransactionCanceledException(
        {"Error": error, "CancellationReasons": reasons}, "TransactWriteItems"
    )


def _unreachable() -> Exception:
    return ConnectionError("the partner does not answer")


def _timed_out() -> Exception:
    return ReadTimeoutError(endpoint_url="any")


BEFORE = {"throttled": _throttled, "conflict": _conflict, "unreachable": _unreachable}

LOST = "lost on the way"

# What can go wrong with a call of each kind, and how it is told.
ALWAYS = ("crash before", "crash after", "timed out")
FAULTS = {
    "read": ("crash before", "throttled"),
    "create": (*ALWAYS, "throttled", "sent twice"),
    "write": (*ALWAYS, "throttled", "sent twice", "conflict"),
    "events": (*ALWAYS, "throttled", "sent twice", "refused entry"),
    "gateway": (*ALWAYS, "unreachable", "sent twice"),
    "carrier": (*ALWAYS, "unreachable", "sent twice"),
}
WORDS = {
    "": "- done",
    "crash before": "- CRASHES before that",
    "crash after": "- CRASHES after that took effect",
    "timed out": "- TIMES OUT after that took effect",
    "throttled": "- is THROTTLED",
    "conflict": "- meets a CONFLICT",
    "unreachable": "- CANNOT REACH it",
    "sent twice": "- the client SENDS IT TWICE",
    "refused entry": "- the bus answers 200 and REFUSES THE ENTRY",
    LOST: "- the bus accepts it and LOSES IT on the way",
}

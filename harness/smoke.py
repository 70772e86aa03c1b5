"""A smoke test of a deployment: what it promises, once each, by orders that are deleted afterwards.

It disturbs nobody: its SKU and its orders are its own, and what takes a crash to happen is stored
as the crash would have left it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4, uuid5

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from contracts import CONTRACTS
from create_order.api import ORDERS
from create_order.events import OrderCreated
from create_order.orders import OrdersTable
from harness.environment import Clients
from harness.errors import UserError
from harness.failures import POISON, lease
from harness.names import stack_name, table_name
from harness.orders import SCENARIOS, NotEnded, Orders, Request
from harness.saga import FINAL, PATHS, SERVICES, SWEEPS
from harness.stock import Stock
from harness.trace import StoredOrders
from plumbing.outbox import OutboxEvent
from plumbing.publish import publisher
from plumbing.step import format_timestamp
from plumbing.trace import traceparent
from resume_orders.resume_orders import STALLED_AFTER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

# With what it takes to clean up after the worst, two minutes.
SECONDS = 90
PATIENCE = 30.0  # for one order
# Lambda tries again after one minute and after two more: "Error handling for asynchronous
# invocation", AWS Lambda developer guide.
AWS_TRIES_SECONDS = 240
# A duplicate that is still on its way would not find an order that is deleted.
SETTLE_SECONDS = 5
UNITS, AT_ONCE = 10, 5

CONTRACT = {contract.detail_type: contract for contract in CONTRACTS}
# The statuses on the way to each final one.
HISTORY = {path[-1][1].to: [step.to for _, step in path] for path in PATHS}
SHIPPED, REFUSED, COMPENSATED = "SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED"
# The fields of each final record, and the reason of a failure.
SHIPPED_FIELDS = {"orderId", "status", "reservationId", "paymentId", "trackingNumber", "history"}
REFUSED_FIELDS = {"orderId", "status", "failureReason", "history"}
COMPENSATED_FIELDS = REFUSED_FIELDS | {"reservationId"}

# What a check may find instead of what is promised.
PROBLEMS = (UserError, NotEnded, BotoCoreError, ClientError)

Event = dict[str, Any]


class Broken(UserError):
    """A promise is not kept; the message says what was seen instead."""


class Check(msgspec.Struct, frozen=True):
    """A promise, how long it took to try it, and what was seen instead, if it is not kept."""

    promise: str
    seconds: float
    problem: str = ""


class Smoke:
    """One run against a deployment; `clean` deletes what it made, however the run ended.

    An order that has not ended after `patience` seconds is stuck. With `retries` the run also waits
    for what fails to reach the failure queues.
    """

    def __init__(
        self, clients: Clients, orders: Orders, *, retries: bool, patience: float = PATIENCE
    ) -> None:
        self._clients, self._prefix, self._orders = clients, clients.prefix, orders
        self._dynamodb: DynamoDBClient = clients.client("dynamodb")
        self._lambda: LambdaClient = clients.client("lambda")
        self._publish = publisher(clients.client("events"), self._prefix)
        self._stock, self._stored = Stock(clients), StoredOrders(clients)
        self._retries, self._patience = retries, patience
        self._until = (
            time.monotonic() + SECONDS + AWS_TRIES_SECONDS * (retries and clients.endpoint is None)
        )
        self.name = f"SMOKE-{uuid4().hex[:8]}"  # of the SKU, of the customer, and in every key
        self._made: set[str] = set()  # the ids of all orders, known before they are stored
        self._unpublished: set[str] = set()  # those whose first event nobody was sent
        self._forged = str(uuid4())  # an order that does not exist
        self._failing: set[tuple[str, str]] = set()  # services, and orders, that are tried yet
        self._ended: dict[str, dict[str, Any]] = {}  # the final records
        self._shipped: dict[str, int] = {}  # the units of the orders that shipped
        self._bait: OutboxEvent | None = None  # the first event of the order that forgeries are of
        self._settled_at = 0.0
        self._kept_all = False

    def run(self) -> Iterator[Check]:
        """Try every promise, and yield what came of each."""
        self._stock.set({self.name: UNITS})
        checks: tuple[tuple[str, Callable[[], None]], ...] = (
            ("an order ships", self._ships),
            ("an order of too many units fails", self._is_refused),
            ("a declined order is compensated", self._is_compensated),
            (f"{AT_ONCE} requests at once with one key are one order", self._comes_at_once),
            ("forged events are poison and change nothing", self._refuses_forgeries),
            ("an event that comes three times is one step", self._takes_one_of_three),
            ("an event that comes late changes nothing", self._ignores_late_events),
            ("an order whose event was lost is resumed", self._is_resumed),
            ("all is still as it was, and the units add up", self._is_unchanged),
        )
        kept = True
        for promise, check in checks:
            begun, problem = time.monotonic(), ""
            try:
                if self._left() <= 0:
                    raise Broken("not tried: the time was over")
                check()
            except PROBLEMS as error:
                problem, kept = str(error), False
            yield Check(promise, time.monotonic() - begun, problem)
        self._kept_all = kept

    def clean(self) -> list[str]:
        """Delete all that this run made; return what could not be, or may come yet."""
        try:
            open_ = self._await_ends()
            if not self._kept_all:
                self._discard()
                self._await_failures()
            for order_id in self._made:
                self._dynamodb.delete_item(
                    TableName=table_name("orders", self._prefix), Key={"orderId": {"S": order_id}}
                )
            self._stock.remove(self.name)
        except PROBLEMS as error:
            made = ", ".join([f"the SKU {self.name}", *(f"order {one}" for one in self._made)])
            return [f"This could not all be deleted ({error}): {made}."]
        return [
            f"An event of order {order_id}, which is deleted, may come into a failure queue yet: "
            f"`saga failures --order {order_id}` finds it."
            for order_id in sorted({*open_, *(order_id for _, order_id in self._failing)})
        ]

    def _ships(self) -> None:
        order_id = self._place("ships", self._request("happy", quantity=2))
        self._require_end(order_id, SHIPPED, SHIPPED_FIELDS)

    def _is_refused(self) -> None:
        order_id = self._place("refused", self._request("out-of-stock", quantity=UNITS + 1))
        self._require_end(order_id, REFUSED, REFUSED_FIELDS, "out of stock")

    def _is_compensated(self) -> None:
        declined = self._request("declined", customer_id=SCENARIOS["declined"].customer_id)
        order_id = self._place("declined", declined)
        self._require_end(order_id, COMPENSATED, COMPENSATED_FIELDS, "card declined")

    def _comes_at_once(self) -> None:
        request = self._request("happy")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ids = set(pool.map(lambda _: self._place("at-once", request), range(AT_ONCE)))
        if len(ids) > 1:
            raise Broken(f"they are {len(ids)} orders: {', '.join(sorted(ids))}")
        self._require_end(ids.pop(), SHIPPED, SHIPPED_FIELDS)

    def _refuses_forgeries(self) -> None:
        self._bait = genuine = self._store("bait", datetime.now(UTC))
        order_id = self._id("bait")
        before = self._stored.find(order_id)
        changed = json.loads(genuine.detail)
        changed["amountCents"] += 1
        unknown = _sample("InventoryReserved")["detail"] | {"orderId": self._forged}
        forgeries = [
            (service, _event(detail_type, detail))
            for detail_type, detail in (("OrderCreated", changed), ("InventoryReserved", unknown))
            for service in CONTRACT[detail_type].consumers
        ]
        for service, event in forgeries:
            error = self._deliver(service, event)
            if error not in POISON:
                raise Broken(f"{service} ends with {error or 'no error'} on {_words(event)}")
        if self._retries:
            self._await_poison(forgeries)
        if self._stored.find(order_id) != before:
            raise Broken(f"order {order_id} is not as it was stored")

    def _takes_one_of_three(self) -> None:
        if self._bait is None:
            raise Broken("its order could not be stored")
        order_id = self._id("bait")
        self._settled_at = time.monotonic() + SETTLE_SECONDS
        self._unpublished.discard(order_id)
        self._publish(self._bait, self._bait, self._bait)
        self._require_end(order_id, SHIPPED, SHIPPED_FIELDS)

    def _ignores_late_events(self) -> None:
        declined = self._id("declined")
        if self._bait is None or not {declined, self._id("bait")} <= self._ended.keys():
            raise Broken("the orders that they are of have not ended")
        stored = self._stored.find(declined)["outbox"]
        late = [
            (self._bait.detail_type, self._bait.detail),
            (stored["detailType"], stored["detail"]),
        ]
        for detail_type, detail in late:
            for service in CONTRACT[detail_type].consumers:
                event = _event(detail_type, json.loads(detail))
                if error := self._deliver(service, event):
                    raise Broken(f"{service} ends with {error} on {_words(event)}")
        self._require_unchanged()

    def _is_resumed(self) -> None:
        # Long enough ago for the sweep, and not for the alarm on the age of open orders.
        self._store("resumed", datetime.now(UTC) - STALLED_AFTER - timedelta(minutes=1))
        order_id = self._id("resumed")
        self._unpublished.discard(order_id)
        before = self._orders.find(order_id)["status"]
        if before != OrderCreated.status:
            raise Broken(f"order {order_id} is {before} before it was resumed")
        deadline = time.monotonic() + min(self._patience, self._left())
        # As its schedule calls it: it resumes what is due anyway, and of many not all at once.
        while self._orders.find(order_id)["status"] == before and time.monotonic() < deadline:
            for sweep in SWEEPS:
                if error := self._deliver(sweep, {}):
                    raise Broken(f"{sweep} ends with {error}")
            time.sleep(0.2)
        self._require_end(order_id, SHIPPED, SHIPPED_FIELDS)

    def _is_unchanged(self) -> None:
        time.sleep(max(0.0, self._settled_at - time.monotonic()))
        self._require_unchanged()

    def _request(
        self, scenario: str, *, quantity: int = 1, customer_id: str | None = None
    ) -> Request:
        return msgspec.structs.replace(
            SCENARIOS[scenario],
            customer_id=customer_id or self.name,
            sku=self.name,
            quantity=quantity,
        )

    def _id(self, what: str) -> str:
        """Return the id of an order, which is derived from its key."""
        return str(uuid5(ORDERS, f"{self.name}-{what}"))

    def _place(self, what: str, request: Request) -> str:
        """Place an order over HTTP; its id is noted first: it may be stored without an answer."""
        self._made.add(self._id(what))
        order_id = self._orders.place(request, f"{self.name}-{what}")
        self._made.add(order_id)
        return order_id

    def _store(self, what: str, created_at: datetime) -> OutboxEvent:
        """Store an order as create_order does, and end there, as a crash would.

        Return the event that it would have published.
        """
        order_id = UUID(self._id(what))
        self._made.add(str(order_id))
        self._unpublished.add(str(order_id))
        request = self._request("happy")
        source = _sample("OrderCreated")["source"]
        table = OrdersTable(self._dynamodb, table_name("orders", self._prefix), source)
        created = OrderCreated(
            order_id=order_id,
            created_at=format_timestamp(created_at),
            traceparent=traceparent(None, otherwise=order_id),
            **msgspec.structs.asdict(request),
        )
        return table.create(created).outbox

    def _require_end(
        self, order_id: str, status: str, fields: set[str], reason: str | None = None
    ) -> None:
        """Follow an order to its end; raises Broken unless its record and the stock are right."""
        record = self._orders.ended(order_id, min(self._patience, max(0.0, self._left())))
        self._ended[order_id] = record
        item = self._stored.find(order_id)
        if record["status"] == SHIPPED:
            self._shipped[order_id] = int(item["quantity"])
        statuses = [step["status"] for step in record["history"]]
        wrong = {
            f"is {record['status']}, not {status}": record["status"] != status,
            f"went by {', '.join(statuses)}": statuses != HISTORY[status],
            f"has the fields {', '.join(record)}": record.keys() != fields,
            f"failed because of {record.get('failureReason')}": reason
            != record.get("failureReason"),
        }
        if problems := [problem for problem, is_so in wrong.items() if is_so]:
            raise Broken(f"order {order_id} {' and '.join(problems)}")
        self._require_units()

    def _require_units(self) -> None:
        if self._made - self._ended.keys() - self._unpublished:
            return  # one that has not ended holds units, or does not
        units, expected = self._stock.units(self.name), UNITS - sum(self._shipped.values())
        if units != expected:
            raise Broken(f"{self.name} has {units} units, not {expected}")

    def _require_unchanged(self) -> None:
        for order_id, record in self._ended.items():
            if self._orders.find(order_id) != record:
                raise Broken(f"order {order_id} has changed after its end")
        self._require_units()

    def _deliver(self, service: str, event: Event) -> str | None:
        """Call a function with an event and wait for it; return the type of its error, if any."""
        answer = self._lambda.invoke(
            FunctionName=stack_name(service, self._prefix), Payload=json.dumps(event).encode()
        )
        if "FunctionError" not in answer:
            return None
        error: Mapping[str, Any] = json.loads(answer["Payload"].read())
        return str(error.get("errorType") or error.get("errorMessage") or error)

    def _await_poison(self, forgeries: list[tuple[str, Event]]) -> None:
        """Deliver events as the bus does; wait for each in its failure queue, and remove it."""
        for service, event in forgeries:
            self._failing.add((service, event["detail"]["orderId"]))
            self._lambda.invoke(
                FunctionName=stack_name(service, self._prefix),
                InvocationType="Event",
                Payload=json.dumps(event).encode(),
            )
        while self._failing:
            if self._left() <= 0:
                missing = ", ".join(sorted(service for service, _ in self._failing))
                raise Broken(f"what failed does not come into the failure queue of {missing}")
            self._discard("poison")

    def _discard(self, *kinds: str) -> None:
        """Remove this run's messages, of these kinds or of any, from the failure queues."""
        with lease(self._clients, SERVICES) as leased:
            for message in leased.messages:
                order_id = message.failure.order_id
                of_any_kind = not kinds or message.failure.kind in kinds
                if order_id in {self._forged, *self._made} and of_any_kind:
                    leased.discard(message)
                    self._failing.discard((message.service, str(order_id)))

    def _await_ends(self) -> list[str]:
        """Wait for the orders in progress, but not for ever; return those that have not ended."""
        deadline = time.monotonic() + self._patience
        waiting = [*(self._made - self._ended.keys() - self._unpublished)]
        while waiting := [one for one in waiting if self._is_open(one)]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return waiting

    def _await_failures(self) -> None:
        """Wait for what is being tried yet to fail, where that takes seconds, and remove it."""
        deadline = time.monotonic() + self._patience
        while self._failing and self._clients.endpoint and time.monotonic() < deadline:
            self._discard()

    def _is_open(self, order_id: str) -> bool:
        answer = self._dynamodb.get_item(
            TableName=table_name("orders", self._prefix),
            Key={"orderId": {"S": order_id}},
            ConsistentRead=True,
        )
        return "Item" in answer and answer["Item"]["status"]["S"] not in FINAL

    def _left(self) -> float:
        return self._until - time.monotonic()


def _sample(detail_type: str) -> Event:
    """Return an event of this type as EventBridge delivers it."""
    sample: Event = json.loads(CONTRACT[detail_type].sample.read_text())
    return sample


def _event(detail_type: str, detail: Mapping[str, Any]) -> Event:
    return {**_sample(detail_type), "id": str(uuid4()), "detail": detail}


def _words(event: Event) -> str:
    return f"{event['detail-type']} of order {event['detail']['orderId']}"

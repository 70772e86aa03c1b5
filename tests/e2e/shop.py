"""A running environment as its customers use it, and as an operator sees it."""

import json
import random
import time
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid5

import httpx
import msgspec
from boto3.dynamodb.types import TypeDeserializer

from harness.connect import session
from harness.environment import Clients, Environment
from harness.failures import lease
from harness.logs import events
from harness.names import PREFIX, stack_name
from harness.orders import Request
from harness.redrive import redrive
from harness.resume import resume_all
from harness.saga import SERVICES
from tests.world import sample

Found = TypeVar("Found")
Item = dict[str, Any]

# What holds an order back when it is lost, and the sweeps that it may take to end all orders.
SWEEPS = 20
SWEEP_SECONDS = 20.0


def eventually(look: Callable[[], Found | None], seconds: float = 60, seen: str = "") -> Found:
    """Look until something is found, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s {seen}"
        time.sleep(0.05)
    return found


class Shop:
    """The orders' API, the stored orders, and the functions by themselves."""

    def __init__(self, saga: Environment) -> None:
        self.url, self.stock = saga.api_url, saga.stock
        self._clients = Clients(session(), saga.endpoint)
        self._http = httpx.Client(base_url=saga.api_url, timeout=60)
        self._dynamodb = session().client("dynamodb", endpoint_url=saga.endpoint)
        self._functions = session().client("lambda", endpoint_url=saga.endpoint)
        self._logs = session().client("logs", endpoint_url=saga.endpoint)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def order(self, order: Request, key: str, tries: int = 20) -> httpx.Response:
        """Order as a client should: retry with the same key until there is a response."""
        last = "nothing"
        for attempt in range(tries):
            # Spread out: clients that all come back at once find it no better.
            time.sleep(random.uniform(0, min(2, 0.1 * 2**attempt)) if attempt else 0)
            try:
                answer = self._http.post(
                    "/orders",
                    content=msgspec.json.encode(order),
                    headers={"Idempotency-Key": key},
                )
            except httpx.TransportError as error:
                last = repr(error)
                continue
            # For a function that dies the emulator may return 200 and nothing: that is no response.
            if answer.is_client_error or answer.status_code == httpx.codes.ACCEPTED:
                return answer
            last = f"{answer.status_code} {answer.text}"
        raise AssertionError(f"order {key} was sent {tries} times: last: {last}")

    def place(self, order: Request, key: str) -> str:
        """Order, and return the id."""
        answer = self.order(order, key)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["orderId"])

    def stored(self, order_id: str) -> Item:
        """Return everything that is stored of an order."""
        answer = self._dynamodb.get_item(
            TableName=f"{PREFIX}-orders", Key={"orderId": {"S": order_id}}, ConsistentRead=True
        )
        return _plain(answer["Item"])

    def all_stored(self, **request: Any) -> list[Item]:
        """Return everything that is stored of all orders, or of those that a filter wants."""
        scan = self._dynamodb.get_paginator("scan")
        pages = scan.paginate(TableName=f"{PREFIX}-orders", **request)
        return [_plain(item) for page in pages for item in page["Items"]]

    def reaches(self, order_id: str, *statuses: str, seconds: float = 60) -> Item:
        """Wait until an order has one of these statuses, and return what is stored of it."""

        def look() -> Item | None:
            item = self.stored(order_id)
            return item if item["status"] in statuses else None

        return eventually(look, seconds, f"at {statuses}: order {order_id}")

    def end(self, order_ids: Collection[str], patience: float = 0) -> tuple[int, int]:
        """Redrive what failed and resume what was lost until these have ended; return how many.

        The emulator's bus delivers each event once, and a function that fails or dies loses it.
        With patience, orders are left alone until none of them has made a step for so long.
        """
        wanted = set(order_ids)
        self._settle(wanted, patience)
        redriven, resumed = self._redrive(), 0
        for _ in range(SWEEPS):
            if not self._open(wanted):
                return redriven, resumed
            resumed += sum(report["resumedOrders"] for report in resume_all(self._functions))
            self._settle(wanted)
            redriven += self._redrive()
        left = {item["orderId"]: item["status"] for item in self._open(wanted)}
        raise AssertionError(f"{len(left)} orders do not end, however often resumed: {left}")

    def _redrive(self) -> int:
        """Redrive the failure queues, except poison; return how many messages."""
        with lease(self._clients, SERVICES) as leased:
            return sum(one.stays is None for one in redrive(leased))

    def invoke(self, service: str, event: Item) -> Item | None:
        """Invoke a service with an event and wait for it; return its error, if it has one."""
        answer = self._functions.invoke(
            FunctionName=stack_name(service), Payload=json.dumps(event).encode()
        )
        error: Item = json.loads(answer["Payload"].read() or b"null") or {}
        return error if "FunctionError" in answer else None

    def calls(self, service: str) -> int:
        """Count the calls of a service that are over, as the platform's log has them."""
        return self.logged(service, "REPORT RequestId")

    def logged(self, service: str, begin: str) -> int:
        """Count what the log of a service has that begins so."""
        found = events(self._logs, f"/saga/{stack_name(service)}", pattern=begin)
        return sum(event["message"].startswith(begin) for event in found)

    def _open(self, order_ids: Collection[str]) -> list[Item]:
        found = self.all_stored(FilterExpression="attribute_exists(openShard)")
        return [item for item in found if item["orderId"] in order_ids]

    def _settle(self, order_ids: Collection[str], seconds: float = SWEEP_SECONDS) -> None:
        """Wait until all of these have ended, or none of them made a step for so long."""
        since, last = time.monotonic(), (len(order_ids), 0)
        while time.monotonic() - since < seconds:
            left = self._open(order_ids)
            if not left:
                return
            now = (len(left), sum(len(item["history"]) for item in left))
            if now != last:
                since, last = time.monotonic(), now
            time.sleep(0.2)


def as_published(detail_type: str, item: Item) -> Item:
    """Return an event of a stored order, as it was published or as it would be.

    What the order does not have yet is filled in as anyone could guess it: the simulated partners
    derive their ids from the order's.
    """
    order_id = UUID(item["orderId"])
    guessed = {
        "reservationId": str(uuid5(order_id, "reservation")),
        "paymentId": str(uuid5(order_id, "payment")),
        "trackingNumber": f"TRK-{uuid5(order_id, 'shipment').hex[:8].upper()}",
    }
    if "outbox" in item:
        guessed["traceparent"] = json.loads(item["outbox"]["detail"])["traceparent"]
    if "failureReason" in item:
        guessed["reason"] = item["failureReason"]
    fields = sample(detail_type)["detail"]
    known = {name: value for name, value in (guessed | item).items() if name in fields}
    return sample(detail_type, **known)


def _plain(attributes: Any) -> Item:
    deserialize = TypeDeserializer().deserialize
    item: Item = msgspec.json.decode(
        json.dumps({name: deserialize(value) for name, value in attributes.items()}, default=_int)
    )
    return item


def _int(number: Decimal) -> int:
    return int(number)

"""A customer's view: place orders over HTTP and follow each to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from harness.trouble import Trouble

ENDS = frozenset({"SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED"})
POLL_SECONDS = 0.02
TRIES = 5


class Request(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a customer orders."""

    customer_id: str
    sku: str
    quantity: int
    amount_cents: int


SCENARIOS = {
    "happy": Request(customer_id="CUST-1", sku="COFFEE", quantity=2, amount_cents=1998),
    "out-of-stock": Request(customer_id="CUST-1", sku="OUT-OF-STOCK", quantity=1, amount_cents=999),
    "declined": Request(customer_id="CUST-DECLINE", sku="COFFEE", quantity=1, amount_cents=999),
}


class NotEnded(Exception):
    """An order did not end in time; carries its record as it stands."""

    def __init__(self, record: dict[str, Any]) -> None:
        last = record["history"][-1]
        super().__init__(
            f"it stands at {last['status']} since {last['at']}; `saga logs` may say why"
        )
        self.record = record


class Orders:
    """The orders' API at a URL."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)

    def __enter__(self) -> Orders:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def place(self, order: Request) -> str:
        """Place an order; answers its id. Raises Trouble, with the API's words, when refused."""
        body, key = msgspec.json.encode(order), {"Idempotency-Key": str(uuid4())}
        answer = self._ask("POST", "/orders", body, key)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise Trouble(f"The order was refused: {_problem(answer)}")
        return str(answer.json()["orderId"])

    def find(self, order_id: str) -> dict[str, Any]:
        """Answer an order's record; raises Trouble when there is none."""
        answer = self._ask("GET", f"/orders/{order_id}")
        if answer.status_code != httpx.codes.OK:
            raise Trouble(f"No record of order {order_id}: {_problem(answer)}")
        record: dict[str, Any] = answer.json()
        return record

    def follow(self, order_id: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield an order's record whenever it has moved on, until it has ended.

        Raises NotEnded when it has not after `seconds`.
        """
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            record = self.find(order_id)
            if len(record["history"]) > seen:
                seen = len(record["history"])
                yield record
            if record["status"] in ENDS:
                return
            if time.monotonic() > deadline:
                raise NotEnded(record)
            time.sleep(POLL_SECONDS)

    def ended(self, order_id: str, seconds: float = 60) -> dict[str, Any]:
        """Follow an order to its end; answers its final record. Raises NotEnded."""
        *_, record = self.follow(order_id, seconds)
        return record

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Ask, and again when it is not available just now: under its key it is one order."""
        for _ in range(TRIES):
            try:
                answer = self._http.request(method, path, content=body, headers=headers)
            except httpx.HTTPError as error:
                raise Trouble(
                    f"The orders' API at {self._http.base_url} does not answer ({error}): "
                    "is it up? `saga up` starts it."
                ) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        return answer


def _problem(answer: httpx.Response) -> str:
    """Put the problem that the API answered into one line."""
    try:
        problem = answer.json()
        wrong = [f"{e['pointer'][2:]}: {e['detail']}" for e in problem.get("errors", [])]
        return f"{problem['detail']} {'; '.join(wrong)}".strip()
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} {answer.text[:200]}"

"""The customer's view: place orders over HTTP and follow each to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from harness.errors import UserError
from harness.saga import FINAL

POLL_SECONDS = 0.02
AT_ONCE = 16  # orders placed at the same time
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
    """An order did not end in time; carries its record."""

    def __init__(self, record: dict[str, Any]) -> None:
        last = record["history"][-1]
        super().__init__(
            f"order is now {last['status']}, since {last['at']}; `saga logs` may show why"
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
        """Close the connections."""
        self._http.close()

    def place(self, order: Request) -> str:
        """Place an order and return its id; raises UserError with the API's message."""
        body, key = msgspec.json.encode(order), {"Idempotency-Key": str(uuid4())}
        answer = self._ask("POST", "/orders", body, key)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise UserError(f"The order was refused: {_problem(answer)}")
        return str(answer.json()["orderId"])

    def find(self, order_id: str) -> dict[str, Any]:
        """Return an order's record; raises UserError when there is none."""
        answer = self._ask("GET", f"/orders/{order_id}")
        if answer.status_code != httpx.codes.OK:
            raise UserError(f"No record of order {order_id}: {_problem(answer)}")
        record: dict[str, Any] = answer.json()
        return record

    def follow(self, order_id: str, seconds: float) -> Iterator[dict[str, Any]]:
        """Yield an order's record after each of its steps, until it has ended.

        Raises NotEnded when it has not after `seconds`.
        """
        deadline = time.monotonic() + seconds
        seen = 0
        while True:
            record = self.find(order_id)
            if len(record["history"]) > seen:
                seen = len(record["history"])
                yield record
            if record["status"] in FINAL:
                return
            if time.monotonic() > deadline:
                raise NotEnded(record)
            time.sleep(POLL_SECONDS)

    def ended(self, order_id: str, seconds: float = 60) -> dict[str, Any]:
        """Follow an order to its end and return its final record. Raises NotEnded."""
        *_, record = self.follow(order_id, seconds)
        return record

    def ended_at_once(
        self, requests: Sequence[Request], seconds: float
    ) -> Iterator[tuple[str, dict[str, Any] | NotEnded]]:
        """Place the orders many at once; yield the id of each with its final record, or NotEnded.

        They come in the order in which they end.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ids = list(pool.map(self.place, requests))
            followed = {pool.submit(self.ended, order_id, seconds): order_id for order_id in ids}
            for done in as_completed(followed):
                try:
                    yield followed[done], done.result()
                except NotEnded as error:
                    yield followed[done], error

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, and again while it is not available: with its key it is one order."""
        for _ in range(TRIES):
            try:
                answer = self._http.request(method, path, content=body, headers=headers)
            except httpx.HTTPError as error:
                raise UserError(
                    f"The orders' API at {self._http.base_url} does not respond ({error}): "
                    "is it up? `saga up` starts it."
                ) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        return answer


def _problem(answer: httpx.Response) -> str:
    """Return the problem in the API's response as one line."""
    try:
        problem = answer.json()
        wrong = [f"{e['pointer'][2:]}: {e['detail']}" for e in problem.get("errors", [])]
        return f"{problem['detail']} {'; '.join(wrong)}".strip()
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code} {answer.text[:200]}"

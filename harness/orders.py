"""The customer's view: place orders over HTTP and follow each to its end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import httpx
import msgspec

from create_order.api import ORDER_ID
from harness.connect import ask, checked_url, http
from harness.errors import UserError
from harness.saga import FINAL
from plumbing.untrusted import MalformedError, decode_json

Kind = TypeVar("Kind")

POLL_SECONDS = 0.02
LONGEST_PAUSE = 10.0  # seconds that a person waits for an API that is not available
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


class Accepted(msgspec.Struct, frozen=True, rename="camel"):
    """The response to POST /orders, as far as it is read here."""

    order_id: UUID


class Made(msgspec.Struct, frozen=True):
    """A step that an order made, at a time that all who read it here take."""

    status: str
    at: str

    def __post_init__(self) -> None:
        """Raise ValueError unless it names a point in time."""
        if datetime.fromisoformat(self.at).tzinfo is None:
            raise ValueError("a time without a zone")


class Record(msgspec.Struct, frozen=True):
    """The response to GET /orders/{orderId}, as far as it is read here."""

    status: str
    history: Annotated[list[Made], msgspec.Meta(min_length=1)]


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with a field of an order."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused (RFC 9457)."""

    detail: str
    errors: list[FieldError] = []


class Refused(UserError):
    """The API does not take an order as it is."""


class NotEnded(Exception):
    """An order did not end in time; carries its record."""

    def __init__(self, record: dict[str, Any]) -> None:
        last = record["history"][-1]
        super().__init__(
            f"order is now {last['status']}, since {last['at']}; `saga logs` may show why"
        )
        self.record = record


class Orders:
    """The orders' API at a URL; `configured` as connect.http() has it.

    With a `token` every request bears it, for an API that has an authorizer.
    """

    def __init__(self, url: str, *, configured: bool = False, token: str | None = None) -> None:
        self._url = checked_url(url)
        self._token = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http(self._url, configured=configured)
        self._closed = threading.Event()

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
        """Close the connections; what waits for an order elsewhere does so no longer."""
        self._closed.set()
        self._http.close()

    def place(self, order: Request, key: str | None = None) -> str:
        """Place an order and return its id; under a key of its own if none is given.

        Raises UserError with the API's message, and Refused when the order itself is at fault.
        """
        headers = {"Idempotency-Key": key or str(uuid4())}
        answer = self._ask("POST", "/orders", msgspec.json.encode(order), headers)
        if answer.status_code != httpx.codes.ACCEPTED:
            kind = Refused if answer.is_client_error else UserError
            raise kind(f"The order was refused: {self._problem(answer)}")
        return str(self._decoded(answer, Accepted).order_id)

    def find(self, order_id: str) -> dict[str, Any]:
        """Return an order's record; raises UserError when there is none."""
        answer = self._ask("GET", f"/orders/{checked_id(order_id)}")
        if answer.status_code != httpx.codes.OK:
            raise UserError(f"No record of order {order_id}: {self._problem(answer)}")
        self._decoded(answer, Record)
        return self._decoded(answer, dict[str, Any])

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
            if self._closed.wait(POLL_SECONDS):
                raise NotEnded(record)

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
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            ids = list(pool.map(self.place, requests))
            followed = {pool.submit(self.ended, order_id, seconds): order_id for order_id in ids}
            for done in as_completed(followed):
                try:
                    yield followed[done], done.result()
                except NotEnded as error:
                    yield followed[done], error
        finally:
            # An interrupt waits neither for what is not begun nor for orders that do not end.
            pool.shutdown(wait=False, cancel_futures=True)

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
                answer = ask(
                    self._http,
                    method,
                    path,
                    content=body,
                    headers={**self._token, **(headers or {})},
                )
            except httpx.HTTPError as error:
                raise UserError(
                    f"The orders' API at {self._url} does not respond ({error}): "
                    "is it up? `saga up` starts it."
                ) from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            pause = retry_pause(answer.headers.get("Retry-After", ""))
            if pause > LONGEST_PAUSE:
                raise UserError(f"The orders' API is not available: try again in {pause:.0f} s.")
            self._closed.wait(pause)
        return answer

    def _decoded(self, answer: httpx.Response, kind: type[Kind]) -> Kind:
        """Decode a response of the API; raises UserError when it is of something else."""
        try:
            decoded: Kind = decode_json(answer.content, kind)
        except MalformedError as error:
            raise UserError(
                f"What responds at {self._url} is not the orders' API ({error}; it begins with "
                f"{answer.content[:60].decode(errors='replace')!r}): see `saga up` for its URL."
            ) from error
        return decoded

    def _problem(self, answer: httpx.Response) -> str:
        """Return the problem in the API's response as one line."""
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            problem = self._decoded(answer, Problem)
            wrong = [f"{one.pointer[2:]}: {one.detail}" for one in problem.errors]
            return f"{problem.detail} {'; '.join(wrong)}".strip()
        # Of API Gateway itself, or of something else.
        begins = answer.content[:200].decode(errors="replace")
        return f"{self._url} responds HTTP {answer.status_code} {begins}".strip()


def checked_id(text: str) -> str:
    """Return an order's id as it is stored, in lower case; raises UserError when it is none."""
    if not ORDER_ID.fullmatch(text):
        raise UserError(f"{text or 'Nothing'} is not the id of an order: that is a UUID.")
    return text.lower()


def retry_pause(retry_after: str) -> float:
    """Return the seconds to wait that a Retry-After header asks for, a number or a date."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return int(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
        return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 1.0

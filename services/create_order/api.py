"""The HTTP API of the orders: requests (API Gateway's payload 2.0), responses and problems."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from create_order.create_order import OrderDiffers, OrderTooLarge
from create_order.events import OrderCreated
from plumbing.aws import CALL_ERRORS
from plumbing.log import log
from plumbing.trace import traceparent
from plumbing.untrusted import MalformedError, decode_json

Request = Mapping[str, Any]
Response = dict[str, Any]

MAX_BYTES = 16 * 1024
# Visible ASCII without the comma, by which API Gateway joins a header that is sent more than once.
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")
# The one form of an id that POST returns; UUID() also reads others, such as one in braces.
ORDER_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Ids of orders with an idempotency key are derived from it, so that one key cannot be two orders.
ORDERS = uuid5(NAMESPACE_URL, "urn:saga:orders")

Name = Annotated[str, Meta(min_length=1, max_length=128)]
# The largest integer that every JSON reader keeps exact.
Cents = Annotated[int, Meta(ge=0, le=2**53 - 1, description="Minor units of the currency.")]


class OrderRequest(Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of POST /orders."""

    customer_id: Name
    sku: Name
    quantity: Annotated[int, Meta(ge=1, le=1000)] = 1
    amount_cents: Cents


class OrderAccepted(Struct, frozen=True, kw_only=True, rename="camel"):
    """The response to POST /orders."""

    order_id: UUID
    status: str


class Step(Struct, frozen=True, kw_only=True):
    """A status of the order, and since when."""

    status: str
    at: str


class OrderRecord(Struct, frozen=True, kw_only=True, rename="camel"):
    """The response to GET /orders/{orderId}; fields of steps not made are left out."""

    order_id: UUID
    status: str
    failure_reason: str | UnsetType = UNSET
    reservation_id: UUID | UnsetType = UNSET
    payment_id: UUID | UnsetType = UNSET
    tracking_number: str | UnsetType = UNSET
    history: list[Step]


class FieldError(Struct, frozen=True, kw_only=True):
    """What is wrong with one field; `pointer` is a JSON pointer into the body."""

    pointer: str
    detail: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error (RFC 9457, application/problem+json)."""

    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Refusal(Exception):
    """The request cannot be served; carries the problem to respond with."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(title=title, status=status, detail=detail, errors=errors or [])
        self.headers = headers or {}


def respond(
    request: Request,
    place: Callable[[OrderCreated], object],
    find: Callable[[UUID], Mapping[str, Any] | None],
    now: str,
) -> Response:
    """Serve one HTTP request; `place` stores and publishes an order, `find` reads one."""
    method, path = request["requestContext"]["http"]["method"], request["rawPath"]
    try:
        match path.strip("/").split("/"):
            case ["orders"]:
                _allow(method, "POST")
                return _post(request, place, now)
            case ["orders", order_id]:
                _allow(method, "GET")
                return _get(order_id, find)
            case _:
                raise Refusal(404, "Not found", "There are only /orders and /orders/{orderId}.")
    except Refusal as refusal:
        return _refuse(refusal)


def _post(request: Request, place: Callable[[OrderCreated], object], now: str) -> Response:
    order, headers = _read_order(_body(request)), request.get("headers", {})
    key = headers.get("idempotency-key")
    order_id = _order_id(key)
    created = OrderCreated(
        order_id=order_id,
        created_at=now,
        traceparent=traceparent(headers.get("traceparent"), otherwise=order_id),
        **msgspec.structs.asdict(order),
    )
    try:
        place(created)
    except OrderDiffers as error:
        raise Refusal(
            422,
            "Idempotency key reused",
            "This Idempotency-Key belongs to an order with another body: use a new key.",
        ) from error
    except OrderTooLarge as error:
        raise Refusal(
            422, "Order too large", f"Shorten its fields: its event has {error} bytes."
        ) from error
    except CALL_ERRORS as error:
        raise _not_known_to_be_stored(order_id, key, error) from error
    accepted = OrderAccepted(order_id=order_id, status=OrderCreated.status)
    return _response(202, accepted, {"Location": f"/orders/{order_id}"})


def _not_known_to_be_stored(order_id: UUID, key: str | None, error: Exception) -> Refusal:
    """Return the refusal of an order whose write failed: it may have taken effect all the same.

    Without a key, to send it again could make two orders: the client has to look for the first.
    """
    if key is not None:
        again = "send this again with the same Idempotency-Key: it will be one order."
        return _unavailable(f"It is not known whether the order is stored: {again}", error)
    where = f"/orders/{order_id}"
    detail = (
        f"It is not known whether the order is stored: GET {where} in a few seconds, "
        "and send this again only if that is a 404."
    )
    return _unavailable(detail, error, {"Location": where})


def _unavailable(
    detail: str, error: Exception, headers: Mapping[str, str] | None = None
) -> Refusal:
    """Log what did not respond, and return the refusal of the request."""
    log("ERROR", "request not served", reason=f"{type(error).__name__}: {error}")
    return Refusal(503, "Not available", detail, headers=headers or {"Retry-After": "1"})


def _get(order_id: str, find: Callable[[UUID], Mapping[str, Any] | None]) -> Response:
    unknown = Refusal(404, "Unknown order", "No order has this id: use the one that POST returned.")
    if not ORDER_ID.fullmatch(order_id):
        raise unknown
    wanted = UUID(order_id)
    try:
        stored = find(wanted)
    except CALL_ERRORS as error:
        detail = "The order cannot be looked up just now: ask again."
        raise _unavailable(detail, error) from error
    log("INFO", "order looked up", orderId=wanted, status=stored and stored["status"])
    if stored is None:
        raise unknown
    return _response(200, msgspec.convert(stored, OrderRecord))


def _allow(method: str, allowed: str) -> None:
    if method != allowed:
        raise Refusal(405, "Method not allowed", f"Use {allowed} here.", headers={"Allow": allowed})


def _body(request: Request) -> bytes:
    text = request.get("body") or ""
    # API Gateway sends a body as base64 when it does not take it for text.
    try:
        encoded = request.get("isBase64Encoded")
        body = base64.b64decode(text) if encoded else text.encode(errors="surrogatepass")
    except ValueError as error:
        raise Refusal(400, "Malformed body", f"Send a JSON object: {error}.") from error
    if len(body) > MAX_BYTES:
        raise Refusal(
            413, "Body too large", f"Send at most {MAX_BYTES} bytes; these are {len(body)}."
        )
    return body


def _read_order(body: bytes) -> OrderRequest:
    try:
        return decode_json(body, OrderRequest)
    except MalformedError as error:
        first = str(error)
    # It is no order. To find every fault takes three times as long.
    try:
        fields = decode_json(body)
    except MalformedError as error:
        raise Refusal(400, "Malformed JSON", f"Send a JSON object: {error}.") from error
    if not isinstance(fields, dict):
        raise Refusal(400, "Malformed order", "Send a JSON object, with the fields of an order.")
    # To JSON Schema, and so to the API's description, 2.0 is an integer.
    whole = {
        name: int(value)
        for name, value in fields.items()
        if isinstance(value, float) and value.is_integer()
    }
    errors = list(_field_errors(fields | whole))
    if whole and not errors:
        return msgspec.convert(fields | whole, OrderRequest)
    # Of a field that is sent twice, `fields` has the last value only: the wrong one is the first.
    errors = errors or [_sent_twice(first)]
    named = ", ".join(error.pointer.removeprefix("#/") for error in errors)
    raise Refusal(422, "Invalid order", f"Correct {named}.", errors)


def _field_errors(fields: Mapping[str, Any]) -> Iterator[FieldError]:
    """Check every field by itself, because msgspec stops at the first wrong one."""
    for field in msgspec.structs.fields(OrderRequest):
        pointer = f"#/{field.encode_name}"
        if field.encode_name in fields:
            try:
                msgspec.convert(fields[field.encode_name], field.type)
            except msgspec.ValidationError as error:
                yield FieldError(pointer=pointer, detail=str(error))
        elif field.required:
            yield FieldError(pointer=pointer, detail="Required, but missing")


def _sent_twice(error: str) -> FieldError:
    """Return the error of a field whose last value is right, by msgspec's message."""
    detail, _, path = error.partition(" - at `$.")
    return FieldError(pointer=f"#/{path.rstrip('`')}", detail=f"{detail}, and sent more than once")


def _order_id(idempotency_key: str | None) -> UUID:
    if idempotency_key is None:
        return uuid4()
    if not IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise Refusal(
            400,
            "Invalid Idempotency-Key",
            "Send it once, with 1 to 255 visible ASCII characters, no space and no comma.",
        )
    return uuid5(ORDERS, idempotency_key)


def _refuse(refusal: Refusal) -> Response:
    headers = {**refusal.headers, "Content-Type": "application/problem+json"}
    return _response(refusal.problem.status, refusal.problem, headers)


def _response(status: int, body: Struct, headers: Mapping[str, str] | None = None) -> Response:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": msgspec.json.encode(body).decode(),
    }

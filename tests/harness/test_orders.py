"""Placing and following orders as a good customer does, also where there is no such API."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import httpx
import pytest

from harness import emulator
from harness.connect import ask, checked_url, http
from harness.errors import UserError
from harness.orders import SCENARIOS, TRIES, Orders, retry_pause
from harness.terminal import show_record
from tests.harness.elsewhere import Respond, endless, listening, response

ORDER = str(UUID(int=2**127))
RECORD = {
    "status": "INVENTORY_FAILED",
    "history": [{"status": "CREATED", "at": "2026-01-31T09:00:00Z"}],
}


class Shop(HTTPServer):
    """An API that is not available so many times, and notes the key of each order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.away = 0
        self.keys: list[str] = []
        self.bearers: list[str | None] = []
        self.retry_after = "0"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Endpoint(BaseHTTPRequestHandler):
    server: Shop

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.server.bearers.append(self.headers["Authorization"])
        self._answer(202, {"orderId": ORDER})

    def do_GET(self) -> None:
        self._answer(200, RECORD)

    def _answer(self, status: int, body: object) -> None:
        kind = "application/json"
        self.server.away -= 1
        if self.server.away >= 0:
            status, body, kind = 503, {"detail": "Send it again."}, "application/problem+json"
        self.send_response(status)
        self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Log no request."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        serving = threading.Thread(target=shop.serve_forever)
        serving.start()
        yield shop
        shop.shutdown()
        serving.join()


def test_an_order_is_sent_again_with_the_same_key_while_the_api_is_not_available(
    shop: Shop,
) -> None:
    shop.away = TRIES - 1

    with Orders(shop.url) as orders:
        placed = orders.place(SCENARIOS["happy"])

    assert placed == ORDER
    assert len(shop.keys) == TRIES
    assert len(set(shop.keys)) == 1


def test_a_token_is_borne_by_every_request_and_none_by_default(shop: Shop) -> None:
    with Orders(shop.url, token="a.b.c") as bearing, Orders(shop.url) as orders:
        bearing.place(SCENARIOS["happy"])
        orders.place(SCENARIOS["happy"])

    assert shop.bearers == ["Bearer a.b.c", None]


def test_an_order_is_followed_past_a_time_in_which_the_api_is_not_available(shop: Shop) -> None:
    shop.away = TRIES - 1

    with Orders(shop.url) as orders:
        record = orders.ended(ORDER)

    assert record == RECORD


def test_an_order_is_given_up_with_the_message_of_the_api(shop: Shop) -> None:
    shop.away = TRIES

    with (
        Orders(shop.url) as orders,
        pytest.raises(UserError, match=r"The order was refused: Send it again\."),
    ):
        orders.place(SCENARIOS["happy"])

    assert len(shop.keys) == TRIES


@pytest.mark.parametrize("asked", ["3600", "99999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_waits_for_long_without_a_word(shop: Shop, asked: str) -> None:
    shop.away, shop.retry_after = TRIES, asked

    with Orders(shop.url) as orders, pytest.raises(UserError, match=r"try again in \d+ s"):
        orders.place(SCENARIOS["happy"])

    assert len(shop.keys) == 1


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("0", 0),
        ("7", 7),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0),
        *((odd, 1) for odd in ("", "-5", "nan", "inf", "1e9", "1.5", "soon", "\u0663", "9" * 4400)),
        *((odd, 1) for odd in ("Thu, 99 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT")),
    ],
)
def test_what_a_header_asks_to_wait_is_understood_or_a_second(header: str, pause: float) -> None:
    assert retry_pause(header) == pause


@pytest.mark.parametrize(
    "order_id",
    ["", "x", "../stock", f"{{{ORDER}}}", f"urn:uuid:{ORDER}", ORDER.replace("-", ""), f"{ORDER}\n"]
    + [ORDER[:-1] + odd for odd in ("\uff11", "\x1b", "\0", "\ud800", "?", "/")],
)
def test_what_is_no_id_is_not_asked_for(order_id: str) -> None:
    with (
        Orders("http://127.0.0.1:9") as orders,
        pytest.raises(UserError, match="is not the id of an order: that is a UUID"),
    ):
        orders.find(order_id)


def test_an_id_is_found_in_any_case(shop: Shop) -> None:
    with Orders(shop.url) as orders:
        assert orders.find(ORDER.upper()) == RECORD


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"<!doctype html><title>A page</title>",
        b'{"orderId": 7}',
        b'{"orderId": "the-order"}',
        b'{"status": "CREATED", "history": []}',
        b'{"status": "CREATED", "history": [{}]}',
        b'{"status": "CREATED", "history": [{"status": "CREATED", "at": "yesterday"}]}',
        b'{"status": "CREATED", "history": [{"status": "CREATED", "at": "2026-01-31T09:00:00"}]}',
        b'{"status": "A", "history": [{"status": "A", "at": "2026-01-01 00:00:01.123456789z"}]}',
        b'{"status": ["CREATED"], "history": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"\x1f\x8b\x08\x00 not gzip",
    ],
)
@pytest.mark.parametrize("headers", [[], ["Content-Encoding: gzip"]], ids=["plain", "encoded"])
def test_a_response_of_something_else_is_one_sentence(body: bytes, headers: list[str]) -> None:
    is_refused = pytest.raises(UserError, match="is not the orders' API")
    with (
        listening(response(body, "200 OK", *headers)) as url,
        Orders(url) as orders,
        is_refused as found,
    ):
        orders.find(ORDER)
    with (
        listening(response(body, "202 Accepted", *headers)) as url,
        Orders(url) as orders,
        is_refused as placed,
    ):
        orders.place(SCENARIOS["happy"])

    assert "\n" not in f"{found.value}{placed.value}"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        ("404 Not Found", b"<h1>Nothing here</h1>", "text/html"),
        ("405 Method Not Allowed", b"", "text/plain"),
        ("429 Too Many Requests", b'{"message": "Too Many Requests"}', "application/json"),
        ("500 Oops", b"\xff", "text/plain; charset=utf-8"),
        *(
            ("500 Oops", b"61", f"text/plain; charset={odd}")
            for odd in ("hex", "undefined", "idna")
        ),
        ("301 Moved", b"", "text/html"),
        ("422 No", b"{}", "application/problem+json"),
        ("422 No", b'{"detail": "x", "errors": {}}', "application/problem+json"),
        ("422 No", b'{"detail": "x", "errors": [{"pointer": 1}]}', "application/problem+json"),
    ],
)
def test_a_refusal_by_something_else_is_one_sentence(status: str, body: bytes, kind: str) -> None:
    with listening(response(body, status, f"Content-Type: {kind}")) as url, Orders(url) as orders:
        with pytest.raises(UserError) as found:
            orders.find(ORDER)
        with pytest.raises(UserError) as placed:
            orders.place(SCENARIOS["happy"])

    assert url in str(found.value)
    assert url in str(placed.value)


@pytest.mark.parametrize("more", ["1" * 5000, "1e999", "[" * 500 + "]" * 500])
def test_a_record_with_more_than_we_know_can_be_shown(more: str) -> None:
    record = json.dumps(RECORD)[:-1] + f', "more": {more}}}'

    with listening(response(record.encode())) as url, Orders(url) as orders:
        try:
            show_record(orders.find(ORDER))
        except UserError as error:
            assert "is not the orders' API" in str(error)  # noqa: PT017  # either is right


@pytest.mark.parametrize("header", ["X-Name: caf\u00e9", "X-Name: \u8336", "Retry-After: \u0663"])
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_a_header_may_have_any_characters(header: str, status: str) -> None:
    body = json.dumps(RECORD).encode()

    with listening(response(body, status, header)) as url:
        assert emulator.answers(url) is False
        with (
            Orders(url) as orders,
            contextlib.nullcontext() if status == "200 OK" else pytest.raises(UserError),
        ):
            assert orders.find(ORDER)["status"] == RECORD["status"]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE = {
    "a body without an end": endless(HEAD + b"\r\n", b" " * 65536),
    "chunks without an end": endless(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "headers without an end": endless(HEAD, b"X: y\r\n" * 1000),
    "more than it says": response(b"{}").replace(b"Length: 2", b"Length: 1000000000"),
    "less than it says": response(b"{}").replace(b"Length: 2", b"Length: 1"),
    "a length that is none": response(b"{}").replace(b"Length: 2", b"Length: -2"),
    "nothing": b"",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "a record of TLS": b"\x15\x03\x01\x00\x02\x02\x46",
    "a broken chunk": CHUNKED + b"zz\r\n",
}


@pytest.mark.parametrize("respond", HOSTILE.values(), ids=HOSTILE)
def test_whatever_responds_a_command_ends_in_one_sentence(respond: bytes | Respond) -> None:
    with listening(respond) as url, Orders(url) as orders, pytest.raises(UserError, match=url):
        orders.find(ORDER)


@pytest.mark.parametrize("respond", HOSTILE.values(), ids=HOSTILE)
def test_whatever_responds_is_no_emulator(respond: bytes | Respond) -> None:
    with listening(respond) as url:
        assert emulator.answers(url) is False


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b"null", b'["services"]', b"[" * 5000]
)
def test_a_page_is_no_emulator(body: bytes) -> None:
    with listening(response(body)) as url:
        assert emulator.answers(url) is False


def test_a_response_that_takes_too_long_is_not_waited_for() -> None:
    with (
        listening(endless(CHUNKED, b"1\r\n \r\n")) as url,
        http(timeout=5) as client,
        pytest.raises(httpx.HTTPError, match="does not end"),
    ):
        ask(client, "GET", url, seconds=0.1)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "foo", "foo:4566", "127.0.0.1:4566", "ftp://x", "http://", "http:///x"),
        *("http://x:0", "http://x:65536", "http://x:y", "http://[::1", "http://x y/", "https:x"),
        *("http://x?a=b", "http://x/#a", "http://\ud800/", "http://" + "x" * 70_000, "http://x\n"),
        "http://x/\x1b[2J",
    ],
)
def test_what_is_no_url_of_an_api_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="give a URL such as"):
        checked_url(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:4566", "http://localhost:4566"),
        (
            "https://id.execute-api.eu-west-1.amazonaws.com/",
            "https://id.execute-api.eu-west-1.amazonaws.com",
        ),
        ("http://[::1]:4566/_aws/execute-api/id", "http://[::1]:4566/_aws/execute-api/id"),
    ],
)
def test_a_url_of_an_api_is_taken(text: str, url: str) -> None:
    assert checked_url(text) == url

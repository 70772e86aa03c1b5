"""Placing and following orders as a good customer does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from harness.errors import UserError
from harness.orders import SCENARIOS, TRIES, Orders


class Shop(HTTPServer):
    """An API that is not available so many times, and notes the key of each order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.away = 0
        self.keys: list[str] = []


class Endpoint(BaseHTTPRequestHandler):
    server: Shop

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        self._answer(202, {"orderId": "the-order"})

    def do_GET(self) -> None:
        self._answer(200, {"status": "INVENTORY_FAILED", "history": [{"status": "CREATED"}]})

    def _answer(self, status: int, body: object) -> None:
        self.server.away -= 1
        if self.server.away >= 0:
            status, body = 503, {"detail": "Send it again."}
        self.send_response(status)
        self.send_header("Retry-After", "0")
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

    with Orders(f"http://127.0.0.1:{shop.server_port}") as orders:
        placed = orders.place(SCENARIOS["happy"])

    assert placed == "the-order"
    assert len(shop.keys) == TRIES
    assert len(set(shop.keys)) == 1


def test_an_order_is_followed_past_a_time_in_which_the_api_is_not_available(shop: Shop) -> None:
    shop.away = TRIES - 1

    with Orders(f"http://127.0.0.1:{shop.server_port}") as orders:
        record = orders.ended("the-order")

    assert record["status"] == "INVENTORY_FAILED"


def test_an_order_is_given_up_with_the_message_of_the_api(shop: Shop) -> None:
    shop.away = TRIES

    with (
        Orders(f"http://127.0.0.1:{shop.server_port}") as orders,
        pytest.raises(UserError, match=r"The order was refused: Send it again\."),
    ):
        orders.place(SCENARIOS["happy"])

    assert len(shop.keys) == TRIES

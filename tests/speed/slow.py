"""The functions under an AWS that is slow: a real endpoint in front of AWS in memory.

`python -m tests.speed.slow` runs each with its real time-out, and prints how long it takes at most.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from explorer.memory import MemoryDynamoDB, MemoryEvents
from harness.saga import SERVICES
from harness.terminal import say
from plumbing import aws, budget
from tests.world import ORDER_ID, TABLES, World, request, sample, settings

# Of each function, in seconds; a test holds the templates to them.
TIME_OUTS = dict.fromkeys(SERVICES, 20) | {"resume_orders": 60}
# create_order gives itself less, because a customer waits.
WITHIN = TIME_OUTS | {"create_order": 10}
# What AWS may do, each as badly as it can without an attempt that fails sooner.
THIRD, CONFLICTS = "late at the third try", "late at the third try, with a conflict"
THROTTLES = "throttles, and asks for a pause"
WAYS = ("silent", "late", THIRD, CONFLICTS, THROTTLES)
CONSUMED = {
    "reserve_inventory": ("CREATED", "OrderCreated"),
    "charge_payment": ("INVENTORY_RESERVED", "InventoryReserved"),
    "notify_shipping": ("PAYMENT_CHARGED", "PaymentCharged"),
    "release_inventory": ("PAYMENT_FAILED", "PaymentFailed"),
}


class Slow(ThreadingHTTPServer):
    """AWS in memory behind HTTP, which is slow in some way."""

    daemon_threads = True

    def __init__(self, memory: Mapping[str, Any], way: str) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.memory, self.way, self.tries = memory, way, 0
        self.closing = threading.Event()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Slow

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body.pop("ClientRequestToken", None)  # which botocore adds
        api, operation = self.headers["X-Amz-Target"].split(".")
        self.server.tries += 1
        if self.server.way == THROTTLES:
            error = {"__type": "ThrottlingException", "message": "slow down"}
            return self._respond(400, error, {"x-amz-retry-after": "4000"})
        third = self.server.way in (THIRD, CONFLICTS)
        if self.server.way == "silent" or (third and self.server.tries % 3):
            self.server.closing.wait()
            return None
        self.server.closing.wait(0.9 * budget.READ_SECONDS)
        try:
            call = getattr(self.server.memory[api], xform_name(operation))
            return self._respond(200, call(**body), {})
        except ClientError as error:
            rest = {name: value for name, value in error.response.items() if name != "Error"}
            told = {"__type": error.response["Error"]["Code"], "message": "refused", **rest}
            return self._respond(400, told, {})

    def _respond(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
        encoded = json.dumps(body).encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(encoded))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(encoded)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Context:
    """What Lambda hands over: a function is killed after so many seconds."""

    seconds: float

    def __post_init__(self) -> None:
        self._begun = time.monotonic()

    @property
    def passed(self) -> float:
        """The seconds that have passed."""
        return time.monotonic() - self._begun

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return max(0, round(1000 * (self.seconds - self.passed)))


@dataclass(frozen=True)
class Ran:
    """How a function ended, after how many of its seconds, and how often it tried a call."""

    seconds: float
    time_out: float
    tries: int
    result: Any = None
    error: Exception | None = None


@contextlib.contextmanager
def slow_aws(way: str, scale: float) -> Iterator[Slow]:
    """Let clients that are made within find an AWS that is slow, on attempts of `scale` seconds."""
    dynamodb, events = MemoryDynamoDB(TABLES), MemoryEvents()
    if way == CONFLICTS:
        dynamodb.conflicts = 10**6
    config = Config(
        connect_timeout=scale * budget.CONNECT_SECONDS,
        read_timeout=scale * budget.READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
        proxies={},
    )
    with (
        mock.patch.object(budget, "CONNECT_SECONDS", scale * budget.CONNECT_SECONDS),
        mock.patch.object(budget, "READ_SECONDS", scale * budget.READ_SECONDS),
        mock.patch.object(aws, "_CONFIG", config),
        Slow({"DynamoDB_20120810": dynamodb, "AWSEvents": events}, way) as server,
    ):
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            with mock.patch.dict(os.environ, environment):
                yield server
        finally:
            server.closing.set()
            server.shutdown()


def function(server: Slow, service: str) -> tuple[Any, Any]:
    """Return a service's handler, with clients of this server, and what it is called with."""
    dynamodb: MemoryDynamoDB = server.memory["DynamoDB_20120810"]
    world = World.__new__(World)  # to store an order only
    world.dynamodb = dynamodb
    world.stock("COFFEE", 10)
    event: Any = request(body=sample("OrderCreated")["detail"])
    if service in CONSUMED:
        status, detail_type = CONSUMED[service]
        world.store_order(status)
        event = sample(detail_type)
    elif service == "resume_orders":
        event = {}
        for number in range(16):
            world.store_order("CREATED", orderId=f"{number:x}{ORDER_ID[1:]}")
    with mock.patch.dict(os.environ, settings(service)):
        sys.modules.pop(f"{service}.handler", None)
        return importlib.import_module(f"{service}.handler").handle, event


def run(server: Slow, service: str, time_out: float, call: object = None) -> Ran:
    """Run a function that is killed after so many seconds, by its event or another call."""
    handle, event = function(server, service)
    event = event if call is None else call
    context = Context(time_out)
    try:
        result = handle(event, context)
        return Ran(context.passed, time_out, server.tries, result)
    except Exception as error:
        return Ran(context.passed, time_out, server.tries, error=error)


def main() -> None:
    """Print how long each function takes at most, with its real time-out."""
    for way in WAYS:
        for service, time_out in TIME_OUTS.items():
            with slow_aws(way, 1) as server, contextlib.redirect_stdout(io.StringIO()):
                ran = run(server, service, time_out)
            how = type(ran.error).__name__ if ran.error else str(ran.result)[:60]
            say(f"{way:<36} {service:<18} {ran.seconds:5.1f} s of {WITHIN[service]} s: {how}")


if __name__ == "__main__":
    main()

"""The page's server: who may ask it, what its buttons do, and what it leaves behind."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.bus import Bus
from harness.connect import session
from harness.emulator import ROOT
from harness.environment import Environment
from harness.errors import UserError
from harness.names import PREFIX, stack_name
from harness.orders import SCENARIOS, Orders
from harness.ui.connection import Connection
from tests.e2e.shop import eventually
from tests.ui.conftest import Page, empty, fail, serving


def test_everything_is_served_with_a_policy_that_lets_nothing_in_from_elsewhere(
    page: Page,
) -> None:
    answers = [
        httpx.get(f"{page.url}{path}") for path in ("/", "/main.js", "/app.css", "/icon.svg")
    ]

    assert [answer.status_code for answer in answers] == [200] * 4
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; style-src 'self' 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    assert "<script>" not in answers[0].text
    assert ' style="' not in answers[0].text


def test_every_module_that_the_page_imports_is_served_as_javascript(page: Page) -> None:
    left, served = {"main.js"}, set[str]()

    while left:
        name = left.pop()
        module = httpx.get(f"{page.url}/{name}")
        assert (module.status_code, module.headers["content-type"].split(";")[0]) == (
            200,
            "text/javascript",
        )
        served.add(name)
        left |= set(re.findall(r'"\./(\w+\.js)"', module.text)) - served

    files = (ROOT / "harness" / "ui" / "page").glob("*.js")
    assert served == {file.name for file in files}


def test_it_listens_on_loopback_only(page: Page) -> None:
    port = int(page.url.rpartition(":")[2])

    listening = _listening(page.process.pid)

    assert listening == [("127.0.0.1", port)]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"])
def test_a_request_by_another_name_is_refused(page: Page, host: str) -> None:
    answer = httpx.get(f"{page.url}/live", headers={"Host": host})

    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert "open it by the URL it printed" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_another_site_cannot_press_a_button(page: Page, headers: dict[str, str]) -> None:
    answer = httpx.post(f"{page.url}/do/resume", json={}, headers=headers)

    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "Only the page itself may do this.",
    )


def test_a_client_that_hangs_up_and_one_that_sends_no_http_are_nobodys_trouble(home: Path) -> None:
    with serving(home) as page:
        host, port = page.url.removeprefix("http://"), int(page.url.rpartition(":")[2])
        whole = f"POST /do/place HTTP/1.1\r\nHost: {host}\r\nOrigin: {page.url}\r\n"
        for sent in (f"{whole}Content-Length: 100\r\n\r\n{{}}", "no HTTP\r\n\r\n", f"{whole}\0"):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(sent.encode())
        upgrade = httpx.get(page.url, headers={"Connection": "Upgrade", "Upgrade": "websocket"})

        ended = page.end(signal.SIGINT)

    assert upgrade.status_code == 200
    assert ended == (130, "")


@pytest.mark.parametrize(
    ("what", "asked", "status", "detail"),
    [
        ("place", {"scenario": "sad"}, 409, "There is no scenario sad: name one of happy, "),
        ("stop", {"service": "create_order"}, 409, "create_order consumes no event: name one of"),
        ("redeliver", {"orderId": "unknown"}, 409, "No event was seen yet that could be redeli"),
    ],
)
def test_what_cannot_be_done_gets_a_problem(
    page: Page, saga: Environment, what: str, asked: dict[str, str], status: int, detail: str
) -> None:
    _whole(page)

    answer = page.do(what, **asked)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["detail"].startswith(detail)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_order_is_found_by_its_id_also_when_it_was_placed_before(
    home: Path, saga: Environment, orders: Orders
) -> None:
    order_id = orders.ended(orders.place(SCENARIOS["declined"]))["orderId"]

    with serving(home) as page:
        _whole(page)
        found = httpx.get(f"{page.url}/orders/{order_id}").json()
        unknown = httpx.get(f"{page.url}/orders/94f7a3c2-5d1b-4e8a-9c60-2b7d8f01e3a5")

    assert [entry["status"] for entry in found["entries"]] == [
        "CREATED",
        "INVENTORY_RESERVED",
        "PAYMENT_FAILED",
        "INVENTORY_RELEASED",
    ]
    assert found["order"]["reason"] == "card declined"
    assert unknown.status_code == 404


def test_only_what_is_an_id_is_asked_of_the_orders_api(saga: Environment) -> None:
    connection = Connection(saga)

    with pytest.raises(UserError, match="is not the id of an order"):
        connection.record("../elsewhere")

    connection.close()


def test_a_redelivered_event_is_the_same_and_changes_nothing(page: Page, orders: Orders) -> None:
    _whole(page)
    placed = page.do("place", scenario="happy").json()["orderId"]
    ended = orders.ended(placed)
    eventually(lambda: _timeline(page, placed)["order"].get("ended"))

    again = page.do("redeliver", orderId=placed, event="OrderCreated").json()

    entries = eventually(lambda: _duplicates(page, placed))
    assert again["words"] == f"OrderCreated of order {placed} was redelivered."
    assert [entry["event"] for entry in entries] == ["OrderCreated", "OrderCreated"]
    assert entries[1]["same"]
    assert orders.find(placed) == ended


def test_failures_are_shown_and_redriven(page: Page, saga: Environment, orders: Orders) -> None:
    _whole(page)
    page.do("stop", service="charge_payment")
    placed = page.do("place", scenario="happy").json()["orderId"]
    lost = eventually(lambda: _event(page, placed, "InventoryReserved"))
    page.do("start", service="charge_payment")
    fail(saga, "charge_payment", lost, {"ERROR_CODE": "NO_RESOURCE", "ERROR_MESSAGE": "gone"})
    fail(saga, "charge_payment", "poison", {})

    shown = page.do("failures").json()
    redriven = page.do("redrive").json()

    assert shown["words"] == "2 failed events."
    [transient] = [one for one in shown["failures"] if one["kind"] == "transient"]
    assert (transient["service"], transient["event"], transient["orderId"]) == (
        "charge_payment",
        "InventoryReserved",
        placed,
    )
    assert transient["reason"] == "not delivered: NO_RESOURCE: gone"
    assert redriven["words"] == (
        "1 failed event redriven. 1 stayed: "
        "poison: neither an event nor a function's record of one."
    )
    assert orders.ended(placed)["status"] == "SHIPPING_SCHEDULED"
    empty(saga, "charge_payment")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ended_by_a_signal_it_leaves_no_rule_no_queue_and_no_service_disabled(
    home: Path, saga: Environment, ending: signal.Signals
) -> None:
    with serving(home) as page, httpx.stream("GET", f"{page.url}/live") as stream:
        # A page that looks on must not keep it from ending.
        looking_on = stream.iter_lines()
        next(looking_on)
        _whole(page)
        page.do("stop", service="notify_shipping")
        stopped = Bus(saga.endpoint).consuming()
        ended = page.end(ending)

    assert ended == (130, "")
    assert stack_name("notify_shipping") not in stopped
    assert stack_name("notify_shipping") in Bus(saga.endpoint).consuming()
    assert _taps(saga, page.process.pid) == []


def test_what_a_killed_one_left_behind_the_next_one_removes(home: Path, saga: Environment) -> None:
    with serving(home) as killed:
        eventually(lambda: len(_taps(saga, killed.process.pid)) == 2)
        killed.end(signal.SIGKILL)
    # As if it had been killed between making a queue and making its rule.
    alone = f"{PREFIX}-tap-{killed.process.pid}-2"
    session().client("sqs", endpoint_url=saga.endpoint).create_queue(QueueName=alone)
    left = _taps(saga, killed.process.pid)

    with serving(home) as page:
        eventually(lambda: _taps(saga, page.process.pid))
        swept = _taps(saga, killed.process.pid)

    assert len(left) == 3
    assert swept == []


def test_two_pages_each_receive_everything(home: Path, page: Page, saga: Environment) -> None:
    with serving(home) as other:
        _whole(page)
        _whole(other)
        placed = page.do("place", scenario="out-of-stock").json()["orderId"]

        seen, by_other = (
            eventually(partial(_event, one, placed, "InventoryFailed")) for one in (page, other)
        )

    assert seen == by_other


def test_without_an_environment_it_shows_how_to_start_one(tmp_path: Path) -> None:
    refused = _ui(tmp_path)

    assert refused.returncode == 1
    assert refused.stderr == (
        "saga: No environment is running: start one with `saga up` (or `make up`).\n"
    )


def test_a_taken_port_is_a_sentence(home: Path, saga: Environment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        refused = _ui(home, "--port", port)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"saga: Port {port} cannot be had (Address already in use)")


def test_where_no_web_server_is_installed_it_shows_where_to_run_it() -> None:
    without = "import sys; sys.modules['starlette'] = None; from harness.cli import main; "

    refused = subprocess.run(
        [sys.executable, "-c", f"{without} sys.exit(main(['ui']))"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'services'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert "is not installed here: run `./saga ui` beside the containers" in refused.stderr


def test_on_aws_it_is_not_offered(tmp_path: Path) -> None:
    refused = _ui(tmp_path, "--aws")

    assert refused.returncode == 1
    assert "on AWS it is not offered" in refused.stderr


def _ui(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "harness", "--home", str(home), "ui", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _whole(page: Page) -> dict[str, Any]:
    """Wait until the page watches, and return the first update, which is whole."""

    def look() -> dict[str, Any] | None:
        with httpx.stream("GET", f"{page.url}/live", timeout=60) as stream:
            update: dict[str, Any] = next(_messages(stream))
        return update if update["isThere"] else None

    return eventually(look)


def _messages(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def _timeline(page: Page, order_id: str) -> Any:
    return httpx.get(f"{page.url}/orders/{order_id}", timeout=60).json()


def _event(page: Page, order_id: str, event: str) -> str | None:
    """Return an order's event as the page has it, or None as long as it has not."""
    entries = _timeline(page, order_id).get("entries", [])
    return next((entry["body"] for entry in entries if entry.get("event") == event), None)


def _duplicates(page: Page, order_id: str) -> list[Any] | None:
    """Return the observations of an event with a duplicate, or None as long as none has one."""
    entries = _timeline(page, order_id)["entries"]
    again = {entry["event"] for entry in entries if entry["duplicate"]}
    return [entry for entry in entries if entry["event"] in again] or None


def _taps(saga: Environment, pid: int) -> list[str]:
    """Return the rules and queues of a process."""
    name = f"{PREFIX}-tap-{pid}-"
    events = session().client("events", endpoint_url=saga.endpoint)
    sqs = session().client("sqs", endpoint_url=saga.endpoint)
    rules = events.list_rules(EventBusName=PREFIX, NamePrefix=name)["Rules"]
    queues = sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])
    return [*(rule["Name"] for rule in rules), *queues]


def _listening(pid: int) -> list[tuple[str, int]]:
    """Return the addresses and ports that a process listens on."""
    sockets = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        # One that was closed while we looked is none that it listens on.
        with contextlib.suppress(FileNotFoundError):
            sockets.add(str(file.readlink()))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                packed = bytes.fromhex(address)[::-1]
                family = socket.AF_INET if table == "tcp" else socket.AF_INET6
                found.append((socket.inet_ntop(family, packed), int(port, 16)))
    return found

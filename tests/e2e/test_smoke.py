"""The smoke test passes where all is well, names what is not, and leaves nothing in either case."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import deploy, emulator, environment
from harness.commands.smoke import clean
from harness.connect import REGION, session
from harness.emulator import ROOT
from harness.environment import HOME, Clients, Environment
from harness.failures import lease
from harness.names import PLATFORM, PREFIX, stack_name
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from harness.smoke import Smoke
from harness.stock import Stock
from tests.e2e.bus import Bus
from tests.e2e.shop import Shop, eventually

Call = Callable[..., subprocess.Popen[str]]

POISON = "[ERROR] EventMismatchError"

PROMISES = [
    "an order ships",
    "an order of too many units fails",
    "a declined order is compensated",
    "5 requests at once with one key are one order",
    "forged events are poison and change nothing",
    "an event that comes three times is one step",
    "an event that comes late changes nothing",
    "an order whose event was lost is resumed",
    "all is still as it was, and the units add up",
]
# What keeps an event that differs from the stored one from being taken for it.
GUARD = b"#status = :expected AND #outbox.#{compared} = :consumed"


@pytest.fixture
def call(saga: Environment, tmp_path: Path) -> Call:
    return lambda *arguments: _call(saga, tmp_path, *arguments)


@pytest.fixture
def without_guard(tmp_path: Path) -> Iterator[Environment]:
    """Deploy to an emulator, with a reserve_inventory that takes forged events."""
    started = emulator.start(tmp_path, None)
    assembly = deploy.synthesize(HOME)
    for stack in [PLATFORM, *map(stack_name, SERVICES)]:
        deploy.deploy(started.url, assembly, stack, package=_without_guard)
    yield Environment(started.url, deploy.api_url(started.url), emulator=started)
    emulator.stop(started)


@pytest.mark.parametrize("on_aws", [False, True], ids=["here", "aws"])
def test_where_all_is_well_every_promise_is_kept_and_nothing_is_left(
    saga: Environment, shop: Shop, bus: Bus, call: Call, on_aws: bool
) -> None:
    with bus.paused("reserve_inventory"):
        of_someone_else = shop.place(SCENARIOS["happy"], f"smoke-beside-{on_aws}")
    before = _everything(saga)

    tested = call(*(["--aws", "--api-url", saga.api_url] if on_aws else []))
    output, errors = tested.communicate(timeout=300)

    assert (tested.returncode, errors) == (0, "")
    assert re.findall(r"^ +[\d.]+ s  (.*): ok$", output, re.MULTILINE) == PROMISES
    assert re.search(r"^9 of 9 are kept, in [\d.]+ s\. Nothing is left\.$", output, re.MULTILINE)
    assert _everything(saga) == before
    assert shop.stored(of_someone_else)["status"] == "CREATED"
    shop.end([of_someone_else])


def test_a_service_that_does_nothing_is_seen_and_nothing_is_left(
    saga: Environment, call: Call
) -> None:
    before = _everything(saga)

    with _broken(saga, "charge_payment"):
        tested = call("--timeout", "2")
        output, errors = tested.communicate(timeout=300)

    assert tested.returncode == 1
    broken = dict(re.findall(r"^ +[\d.]+ s  (.*): BROKEN: (.*)$", output, re.MULTILINE))
    assert broken.keys() == {*PROMISES} - {
        "an order of too many units fails",
        "all is still as it was, and the units add up",
    }
    assert "order is now INVENTORY_RESERVED, since 20" in broken["an order ships"]
    assert "charge_payment ends with ResourceNotFound" in broken[PROMISES[4]]
    assert "2 of 9 are kept, in " in output
    assert (
        errors.count(", which is deleted, may come into a failure queue yet: `saga failures ") == 5
    )
    assert _everything(saga) == before


def test_a_service_that_takes_forged_events_is_seen(
    without_guard: Environment, tmp_path: Path
) -> None:
    tested = _call(without_guard, tmp_path / "home")
    output, _ = tested.communicate(timeout=300)

    assert tested.returncode == 1
    assert "reserve_inventory ends with no error on OrderCreated of order " in output
    assert _everything(without_guard)["orders"] == []


@pytest.mark.parametrize("promise", [PROMISES[1], PROMISES[6]])
def test_ctrl_c_leaves_nothing(saga: Environment, call: Call, promise: str) -> None:
    before = _everything(saga)

    tested = call()
    assert tested.stdout is not None
    while promise not in tested.stdout.readline():
        pass
    tested.send_signal(signal.SIGINT)
    _, errors = tested.communicate(timeout=300)

    assert (tested.returncode, errors) == (130, "")
    assert _everything(saga) == before


def test_ctrl_c_while_it_cleans_up_leaves_nothing(
    saga: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, interrupted = _everything(saga), False
    clients = Clients(session(), saga.endpoint)

    def interrupt(table: Stock, sku: str) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt
        remove(table, sku)

    remove = Stock.remove
    monkeypatch.setattr(Stock, "remove", interrupt)
    with Orders(saga.api_url) as orders:
        test = Smoke(clients, orders, retries=False)
        next(test.run())
        with pytest.raises(KeyboardInterrupt):
            clean(test)

    assert _everything(saga) == before


def test_ctrl_c_while_forged_events_are_tried_leaves_none_of_them(
    saga: Environment, shop: Shop, call: Call
) -> None:
    before, refused = _everything(saga), shop.logged("charge_payment", POISON)

    tested = call()
    # The first forged event is answered; the second, the last one of all, has three tries.
    eventually(lambda: shop.logged("charge_payment", POISON) >= refused + 2)
    tested.send_signal(signal.SIGINT)
    _, errors = tested.communicate(timeout=300)

    assert (tested.returncode, errors) == (130, "")
    assert _everything(saga) == before


def test_the_url_of_another_door_is_refused_without_the_deployment_behind_it(call: Call) -> None:
    tested = call("--api-url", "http://127.0.0.1:1")
    _, errors = tested.communicate(timeout=60)

    assert tested.returncode == 1
    assert "--api-url is the door of a deployment on AWS: give --aws with it." in errors


def _call(saga: Environment, home: Path, *arguments: str) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    # Its process is another home's, which only that one stops.
    environment.note(home, msgspec.structs.replace(saga, emulator=None))
    aws = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": saga.endpoint,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "--home", str(home), "smoke", *arguments],
        cwd=ROOT,
        env=os.environ | aws | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _everything(saga: Environment) -> dict[str, Any]:
    """Return the ids of all orders, the stock, and the orders in the failure queues."""
    dynamodb = session().client("dynamodb", endpoint_url=saga.endpoint)
    pages = dynamodb.get_paginator("scan").paginate(TableName=f"{PREFIX}-orders")
    with lease(Clients(session(), saga.endpoint), SERVICES) as leased:
        failed = [message.failure.order_id for message in leased.messages]
    return {
        "orders": sorted(item["orderId"]["S"] for page in pages for item in page["Items"]),
        "stock": saga.stock.all(),
        "failures": failed,
    }


@contextmanager
def _broken(saga: Environment, service: str) -> Iterator[None]:
    """Let a service look for its orders in a table that is not there."""
    client = session().client("lambda", endpoint_url=saga.endpoint)
    name = stack_name(service)
    settings = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    broken = {**settings, "ORDERS_TABLE": "no-such-table"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": broken})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Environment={"Variables": settings})


def _without_guard(service: str, asset: Path) -> bytes:
    """Zip a service as it is, but for one guard of reserve_inventory."""
    files = deploy.bootstrap()
    for folder, name in ((asset, service), (ROOT / "plumbing", "plumbing")):
        for path in sorted(folder.glob("*.py")):
            files[f"{name}/{path.name}"] = path.read_bytes()
    if service == "reserve_inventory":
        guarded = files["plumbing/step.py"]
        assert GUARD in guarded
        files["plumbing/step.py"] = guarded.replace(GUARD, GUARD + b" OR #status = :expected")
    return deploy.zipped(files)

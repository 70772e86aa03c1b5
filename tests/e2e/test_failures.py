"""Events that failed are in their service's failure queue until a person redrives them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import environment
from harness.connect import REGION, session
from harness.emulator import ROOT
from harness.environment import Clients, Environment
from harness.failures import lease
from harness.names import PREFIX, stack_name
from harness.orders import SCENARIOS, Orders, Request
from tests.records import dead_letter_attributes
from tests.world import sample

Saga = Callable[..., subprocess.CompletedProcess[str]]

CHARGE = stack_name("charge_payment")
PATH = ["CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED", "SHIPPING_SCHEDULED"]


@pytest.fixture
def command(saga: Environment, tmp_path: Path) -> Saga:
    """Return the `saga` command, which finds this environment under a home of its own."""
    # Its process is another home's, which only that one stops.
    environment.note(tmp_path, msgspec.structs.replace(saga, emulator=None))

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", "--home", str(tmp_path), *arguments],
            cwd=ROOT,
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(autouse=True)
def empty_queues(saga: Environment) -> Iterator[None]:
    _purge(saga)
    yield
    _purge(saga)


def test_an_event_that_failed_three_times_is_listed_redriven_count_and_ends_its_order(
    saga: Environment, orders: Orders, command: Saga
) -> None:
    saga.stock.set({"REDRIVEN": 5})
    with _broken_charge(saga):
        order_id = _stuck(saga, orders, "REDRIVEN")
        _invoke(saga, _stored_event(saga, order_id))
        _await_failures(saga, "charge_payment", 1)
    listed = command("failures")

    redriven = command("redrive")

    assert listed.stdout.split()[:4] == [
        "charge_payment",
        "InventoryReserved",
        order_id,
        "transient",
    ]
    assert "ResourceNotFoundException: " in listed.stdout
    assert redriven.returncode == 0
    assert redriven.stdout.splitlines() == [
        f"charge_payment     InventoryReserved  {order_id}  redriven",
        "1 redriven, 0 stayed.",
    ]
    assert _statuses(orders.ended(order_id)) == PATH
    assert saga.stock.units("REDRIVEN") == 4
    assert command("failures").stdout == "0 transient, 0 poison.\n"


def test_poison_stays_and_is_named_until_a_person_insists(saga: Environment, command: Saga) -> None:
    poison = sample("InventoryReserved")
    del poison["detail"]["amountCents"]
    _invoke(saga, poison)
    _await_failures(saga, "charge_payment", 1)

    refused = command("redrive")
    kept = command("failures", "--json")
    insisted = command("redrive", "--poison")

    assert refused.returncode == 1
    assert "stays, poison: EnvelopeError: InventoryReserved: " in refused.stdout
    assert "`amountCents`" in refused.stdout
    assert refused.stdout.endswith("\n0 redriven, 1 stayed.\n")
    assert json.loads(kept.stdout)["kind"] == "poison"
    assert (insisted.returncode, insisted.stdout.splitlines()[-1]) == (0, "1 redriven, 0 stayed.")
    # The service was not corrected, so that the event fails and is back after its three tries.
    _await_failures(saga, "charge_payment", 1)


def test_an_event_that_could_not_be_delivered_goes_to_the_one_service_that_missed_it(
    saga: Environment, orders: Orders, command: Saga
) -> None:
    saga.stock.set({"UNDELIVERED": 5})
    with _paused_charge(saga):
        order_id = _stuck(saga, orders, "UNDELIVERED")
    _send(saga, "charge_payment", _stored_event(saga, order_id))

    listed = command("failures")
    redriven = command("redrive", "--service", "charge-payment")

    assert "not delivered: NO_PERMISSIONS" in listed.stdout
    assert redriven.returncode == 0
    assert _statuses(orders.ended(order_id)) == PATH
    assert saga.stock.units("UNDELIVERED") == 4


def test_an_event_that_waits_twice_and_is_redriven_count_by_two_at_once_ends_its_order_once(
    saga: Environment, orders: Orders, command: Saga
) -> None:
    saga.stock.set({"TWICE": 5})
    with _paused_charge(saga):
        order_id = _stuck(saga, orders, "TWICE")
    event = _stored_event(saga, order_id)
    for _ in range(12):
        _send(saga, "charge_payment", event)

    with ThreadPoolExecutor(2) as pool:
        redrives = list(pool.map(lambda _: command("redrive"), range(2)))

    redriven_count = sum(redriven.stdout.count("  redriven\n") for redriven in redrives)
    assert redriven_count == 12
    assert _statuses(orders.ended(order_id)) == PATH
    assert command("redrive").returncode == 0
    assert _statuses(orders.find(order_id)) == PATH
    assert saga.stock.units("TWICE") == 4


def test_many_are_listed_once_each_and_can_be_listed_again_at_once(
    saga: Environment, command: Saga
) -> None:
    for number in range(23):
        _send(saga, "charge_payment", sample("InventoryReserved", orderId=str(number)))

    first, second = command("failures", "--json"), command("failures", "--json")

    once_each = sorted(map(str, range(23)))
    assert sorted(_listed(first)) == once_each
    assert sorted(_listed(second)) == once_each


def test_only_the_order_and_the_service_that_are_named_are_redriven(
    saga: Environment, orders: Orders, command: Saga
) -> None:
    this = orders.ended(orders.place(SCENARIOS["happy"]))["orderId"]
    _send(saga, "charge_payment", sample("InventoryReserved", orderId=this))
    _send(saga, "charge_payment", sample("InventoryReserved", orderId="that"))
    _send(saga, "notify_shipping", sample("PaymentCharged", orderId=this))

    redriven = command("redrive", "--service", "charge_payment", "--order", this)

    assert redriven.returncode == 0
    assert redriven.stdout.splitlines()[-1] == "1 redriven, 0 stayed."
    assert sorted(_listed(command("failures", "--json"))) == sorted(["that", this])
    assert _listed(command("failures", "--json", "--order", this)) == [this]


def test_a_dry_run_shows_what_would_be_done_and_does_nothing(
    saga: Environment, command: Saga
) -> None:
    _send(saga, "charge_payment", sample("InventoryReserved", orderId="this"))
    _sqs(saga).send_message(QueueUrl=_queue(saga, "charge_payment"), MessageBody="no event")

    shown = command("redrive", "--dry-run")

    assert shown.returncode == 1
    assert "this                                  would be redriven\n" in shown.stdout
    assert "stays, poison: neither an event nor a function's record of one\n" in shown.stdout
    assert shown.stdout.endswith("\n1 would be redriven, 1 would stay.\n")
    assert len(_listed(command("failures", "--json"))) == 2


def test_messages_leased_by_someone_else_are_reported(saga: Environment, command: Saga) -> None:
    _send(saga, "charge_payment", sample("InventoryReserved"))

    with lease(Clients(session(), saga.endpoint), ["charge_payment"]):
        redriven = command("redrive")

    assert redriven.returncode == 1
    assert redriven.stdout == "0 redriven, 0 stayed.\n"
    assert redriven.stderr.startswith("saga: About 1 more are leased by someone else")


def test_with_empty_queues_nothing_is_done(command: Saga) -> None:
    redriven = command("redrive")

    assert (redriven.returncode, redriven.stdout) == (0, "0 redriven, 0 stayed.\n")


def test_a_service_without_a_failure_queue_is_one_sentence(command: Saga) -> None:
    refused = command("failures", "--service", "create_order")

    assert refused.returncode == 1
    assert refused.stderr.startswith("saga: No failure queue of create_order is here: ")


def test_a_wrong_call_has_another_exit_code_than_a_failure(command: Saga) -> None:
    wrong = command("redrive", "--service", "notify_everyone")

    assert wrong.returncode == 2


def test_on_aws_the_ordinary_credentials_and_region_are_used(
    saga: Environment, command: Saga
) -> None:
    _send(saga, "charge_payment", sample("InventoryReserved", orderId="this"))
    # What boto3 reads for everyone; the address leads it to the emulator in the place of AWS.
    environ = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": saga.endpoint,
    }

    listed = command("--home", "/nowhere", "failures", "--aws", "--json", **environ)

    assert _listed(listed) == ["this"]


def test_without_credentials_for_aws_there_is_one_sentence(command: Saga) -> None:
    nothing = {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    refused = command("redrive", "--aws", **nothing)

    assert refused.returncode == 1
    assert refused.stderr == (
        "saga: There are no AWS credentials: log in to AWS or set AWS_PROFILE first.\n"
    )


def test_a_refusal_by_aws_is_shown_without_a_traceback(saga: Environment, command: Saga) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    }

    refused = command("failures", "--aws", **environ)

    assert refused.returncode == 1
    assert refused.stderr.startswith("saga: AWS refuses: Could not connect to the endpoint URL")


@contextmanager
def _broken_charge(saga: Environment) -> Iterator[None]:
    """Let charge_payment look for its orders in a table that is not there."""
    client = session().client("lambda", endpoint_url=saga.endpoint)
    settings = client.get_function_configuration(FunctionName=CHARGE)["Environment"]["Variables"]
    broken = {**settings, "ORDERS_TABLE": "no-such-table"}
    client.update_function_configuration(FunctionName=CHARGE, Environment={"Variables": broken})
    try:
        yield
    finally:
        client.update_function_configuration(
            FunctionName=CHARGE, Environment={"Variables": settings}
        )


@contextmanager
def _paused_charge(saga: Environment) -> Iterator[None]:
    """Disable the rule of charge_payment."""
    events = session().client("events", endpoint_url=saga.endpoint)
    events.disable_rule(Name=CHARGE, EventBusName=PREFIX)
    try:
        yield
    finally:
        events.enable_rule(Name=CHARGE, EventBusName=PREFIX)


def _stuck(saga: Environment, orders: Orders, sku: str) -> str:
    """Place an order and wait until only charge_payment could take it on."""
    order_id = orders.place(Request(customer_id="CUST-1", sku=sku, quantity=1, amount_cents=500))
    for record in orders.follow(order_id, seconds=60):
        if record["status"] == "INVENTORY_RESERVED":
            return order_id
    raise AssertionError(f"order {order_id} did not get stuck")


def _stored_event(saga: Environment, order_id: str) -> dict[str, Any]:
    """Return the event stored with an order, as EventBridge delivers it."""
    table = session().resource("dynamodb", endpoint_url=saga.endpoint).Table(f"{PREFIX}-orders")
    item: Any = table.get_item(Key={"orderId": order_id}, ConsistentRead=True)["Item"]
    return sample(item["outbox"]["detailType"], **json.loads(item["outbox"]["detail"]))


def _invoke(saga: Environment, event: dict[str, Any]) -> None:
    """Send an event to charge_payment as AWS's bus does: the emulator's does not retry."""
    client = session().client("lambda", endpoint_url=saga.endpoint)
    client.invoke(FunctionName=CHARGE, InvocationType="Event", Payload=json.dumps(event))


def _send(saga: Environment, service: str, event: dict[str, Any]) -> None:
    """Put an event into a failure queue as AWS's bus does: the emulator's has no dead letters."""
    attributes = dead_letter_attributes()
    _sqs(saga).send_message(
        QueueUrl=_queue(saga, service),
        MessageBody=json.dumps(event),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def _purge(saga: Environment) -> None:
    for service in ("charge_payment", "notify_shipping"):
        _sqs(saga).purge_queue(QueueUrl=_queue(saga, service))


def _await_failures(saga: Environment, service: str, count: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    name = "ApproximateNumberOfMessages"
    while time.monotonic() < deadline:
        response = _sqs(saga).get_queue_attributes(
            QueueUrl=_queue(saga, service), AttributeNames=[name]
        )
        if int(response["Attributes"][name]) == count:
            return
    raise AssertionError(f"not {count} in the failure queue of {service} within {seconds} s")


def _sqs(saga: Environment) -> Any:
    return session().client("sqs", endpoint_url=saga.endpoint)


def _queue(saga: Environment, service: str) -> str:
    name = f"{stack_name(service)}-failures"
    return str(_sqs(saga).get_queue_url(QueueName=name)["QueueUrl"])


def _listed(listing: subprocess.CompletedProcess[str]) -> list[str]:
    return [json.loads(line)["orderId"] for line in listing.stdout.splitlines()]


def _statuses(record: dict[str, Any]) -> list[str]:
    return [step["status"] for step in record["history"]]

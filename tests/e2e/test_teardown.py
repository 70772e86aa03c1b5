"""A deployment is removed: what it was made of is gone, and what is worth something stays."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import deploy, emulator, environment
from harness.connect import REGION, session
from harness.emulator import ROOT
from harness.environment import HOME, Clients, Environment
from harness.errors import UserError
from harness.names import stack_name
from harness.orders import Orders, Request
from harness.saga import SERVICES
from harness.stock import Stock
from harness.teardown import Removal

Saga = Callable[..., subprocess.CompletedProcess[str]]

PREFIX = "shop"
TABLES = ["shop-inventory", "shop-orders"]
ORDER = Request(customer_id="CUST-1", sku="TEA", quantity=1, amount_cents=500)
CHARGE_QUEUE = "shop-charge-payment-failures"
# Of another deployment, whose prefix begins with this one's.
NESTED = "shop-eu-platform"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Deploy to an emulator, beside a stack of another deployment."""
    assembly = deploy.synthesize(HOME, PREFIX)
    home = tmp_path / "home"
    home.mkdir()
    started = emulator.start(home, None)
    for part in ["platform", *SERVICES]:
        deploy.deploy(started.url, assembly, stack_name(part, PREFIX), prefix=PREFIX)
    Stock(Clients(session(), started.url, PREFIX)).set({"TEA": 5})
    running = Environment(started.url, deploy.api_url(started.url, PREFIX), started, prefix=PREFIX)
    environment.note(home, running)
    for table in TABLES:
        # Which the emulator does not read in a template.
        _client(running, "dynamodb").update_table(TableName=table, DeletionProtectionEnabled=True)
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "shop-eu-queue"}}
    _create(running, NESTED, {"Queue": queue})
    yield home
    environment.down(home)


@pytest.fixture
def running(home: Path) -> Environment:
    return environment.require(home, PREFIX)


@pytest.fixture
def command(home: Path) -> Saga:
    """Return the command, which takes the emulator for AWS when it is given --aws."""
    aws = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": environment.require(home, PREFIX).endpoint,
    }

    def run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "harness", "--home", str(home), *arguments],
            cwd=ROOT,
            env=os.environ | aws | {"SAGA_PREFIX": PREFIX},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize("where", [[], ["--aws"]], ids=["here", "aws"])
def test_a_deployment_goes_but_for_its_tables_and_then_these(
    running: Environment, command: Saga, where: list[str]
) -> None:
    _ship(running)
    kept = {"stacks": [NESTED], "queues": ["shop-eu-queue"]}
    # What only an emulator has, for its processes.
    kept |= {"buckets": ["shop-local-code"]} if where else {}

    gone = command("teardown", *where, typed="shop\n")
    left, again = _everything(running), command("teardown", *where)
    data = command("teardown", "--data", "--yes", "shop", *where)
    after, last = _everything(running), command("teardown", "--data", "--yes", "shop", *where)

    assert gone.returncode == 0, gone.stderr
    assert _removed(gone) == [
        "shop-create-order",
        "shop-charge-payment",
        "shop-notify-shipping",
        "shop-release-inventory",
        "shop-reserve-inventory",
        "shop-resume-orders",
        "shop-platform",
        *(f"the queue {one}" for one in _queues()),
    ]
    assert f"no part of shop is named so: {NESTED}." in gone.stdout
    assert left == {**kept, "tables": TABLES}
    assert "Left, with what is in them: shop-orders, shop-inventory." in gone.stdout
    assert (again.returncode, _removed(again)) == (0, [])
    assert f"There is no stack to remove, of {PREFIX} " in again.stdout
    assert ".\nLeft, with what is in them" in again.stdout
    assert _removed(data) == ["the table shop-orders", "the table shop-inventory"]
    assert after == kept
    assert (last.returncode, last.stdout.splitlines()[-1]) == (0, "Nothing is left.")


def test_it_is_refused_while_orders_are_open_or_events_have_failed(
    running: Environment, command: Saga
) -> None:
    order_id = _stall(running)
    sqs, queue = _client(running, "sqs"), _queue_url(running)
    sqs.send_message(QueueUrl=queue, MessageBody="an event")
    before = _everything(running)

    refused = command("teardown", "--yes", "shop")
    refused_service = command("teardown", "--only", "charge_payment", "--yes", "shop")
    kept = _everything(running)
    anyway = command("teardown", "--yes", "shop", "--anyway")

    assert (refused.returncode, refused_service.returncode) == (1, 1)
    assert refused.stderr == (
        f"saga: There are 1 open orders, 1 messages in {CHARGE_QUEUE}: `saga teardown --only "
        "create_order --prefix shop` closes the door; then `saga redrive --prefix shop` and `saga "
        "resume --prefix shop` until none is left, or add --anyway to strand them.\n"
    )
    assert kept == before
    assert anyway.returncode == 0, anyway.stderr
    assert sorted(_everything(running)["queues"]) == sorted([*_queues(), "shop-eu-queue"])
    assert f"{CHARGE_QUEUE}" in anyway.stdout.splitlines()[-1]
    assert _stored(running, order_id)


def test_the_door_can_be_closed_while_orders_are_open(running: Environment, command: Saga) -> None:
    order_id = _stall(running)

    closed = command("teardown", "--only", "create_order", "--yes", "shop")
    again = command("teardown", "--only", "create-order", "--yes", "shop")
    resumed = command("resume")

    assert (closed.returncode, _removed(closed)) == (0, ["shop-create-order"])
    assert (again.returncode, _removed(again)) == (0, [])
    assert resumed.returncode == 0, resumed.stderr
    assert "shop-resume-orders" in _everything(running)["functions"]
    assert _stored(running, order_id)


def test_an_order_that_comes_in_before_the_door_is_closed_keeps_the_rest(
    running: Environment,
) -> None:
    removal = Removal(Clients(session(), running.endpoint, PREFIX))
    assert not removal.held()
    _stall(running)
    said: list[str] = []

    with pytest.raises(UserError, match="The door is closed, and there are 1 open orders"):
        removal.run(said.append, anyway=False)

    assert said == ["Removing shop-create-order"]
    assert "shop-charge-payment" in _everything(running)["functions"]


@pytest.mark.parametrize("typed", ["", "\n", "shop-eu\n", "order-saga\n"])
def test_nothing_is_removed_without_the_deployments_name(
    running: Environment, command: Saga, typed: str
) -> None:
    before = _everything(running)

    refused = command("teardown", "--data", typed=typed)

    assert refused.returncode == 1
    assert "To be removed, of shop at http://127.0.0.1:" in refused.stdout
    assert _everything(running) == before


@pytest.mark.parametrize("only", ["", "*", "a b"])
def test_a_service_without_a_name_is_not_all_of_them(only: str, tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "harness", "teardown", "--only", only, "--yes", PREFIX],
        cwd=ROOT,
        env=os.environ | {"SAGA_FILES": str(tmp_path), "SAGA_PREFIX": PREFIX},
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2
    assert "give the name of a service, not " in refused.stderr


def test_a_service_that_the_app_no_longer_has_is_removed_by_its_name(
    running: Environment, command: Saga
) -> None:
    gone = json.loads(json.dumps(_template(running, "shop-notify-shipping")).replace(
        "notify-shipping", "send-mail"
    ))  # fmt: skip
    _create(running, "shop-send-mail", gone["Resources"])
    _client(running, "sqs").send_message(
        QueueUrl=_queue_url(running, "shop-send-mail-failures"), MessageBody="an event"
    )

    whole = command("teardown", typed="no\n")
    refused = command("teardown", "--only", "send_mail", "--yes", "shop")
    removed = command("teardown", "--only", "send_mail", "--yes", "shop", "--anyway")
    data = command("teardown", "--only", "send_mail", "--yes", "shop", "--anyway", "--data")

    assert "no part of shop is named so: shop-eu-platform, shop-send-mail." in whole.stdout
    assert "1 messages in shop-send-mail-failures, which send_mail is for" in refused.stderr
    assert _removed(removed) == ["shop-send-mail"]
    assert "Left, with what is in them: shop-send-mail-failures." in removed.stdout
    assert _removed(data) == ["the queue shop-send-mail-failures"]
    assert "shop-notify-shipping" in _everything(running)["functions"]


def test_a_service_of_another_deployment_is_never_removed(
    running: Environment, command: Saga
) -> None:
    other = json.loads(json.dumps(_template(running, "shop-notify-shipping")).replace(
        "shop", "shop-eu"
    ))  # fmt: skip
    _create(running, "shop-eu-notify-shipping", other["Resources"])

    refused = command("teardown", "--only", "eu_notify_shipping", "--yes", "shop", "--anyway")
    platform = command("teardown", "--only", "platform", "--yes", "shop", "--anyway")

    assert refused.returncode == 1
    assert refused.stderr.startswith("saga: shop-eu-notify-shipping is no service of shop: ")
    assert "shop-eu-notify-shipping" in _everything(running)["functions"]
    assert platform.stderr.startswith("saga: All services need the platform")


@pytest.mark.parametrize("environment", [{"EVENT_BUS_NAME": "shop-orders"}, None])
def test_a_function_that_only_looks_like_one_of_the_deployment_is_never_removed(
    running: Environment, command: Saga, environment: dict[str, str] | None
) -> None:
    resources = json.loads(json.dumps(_template(running, "shop-notify-shipping")).replace(
        "shop", "shop-orders"
    ))["Resources"]  # fmt: skip
    for resource in resources.values():
        if resource["Type"] == "AWS::Lambda::Function":
            del resource["Properties"]["Environment"]
            if environment:
                resource["Properties"]["Environment"] = {"Variables": environment}
    _create(running, "shop-orders-notify-shipping", resources)

    refused = command("teardown", "--only", "orders_notify_shipping", "--yes", "shop", "--anyway")

    assert refused.stderr.startswith("saga: shop-orders-notify-shipping is no service of shop: ")


def test_a_stack_that_cannot_be_deleted_is_named_with_the_reason_and_goes_the_next_time(
    running: Environment, command: Saga
) -> None:
    network = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
    _create(running, "shop-monitoring", {"Network": network})
    ec2 = _client(running, "ec2")
    [vpc] = [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if not one["IsDefault"]]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    failed = command("teardown", "--yes", "shop")
    ec2.delete_subnet(SubnetId=subnet)
    again = command("teardown", "--yes", "shop")

    assert failed.returncode == 1
    assert "saga: shop-monitoring is DELETE_FAILED: Network: " in failed.stderr
    assert "DependencyViolation" in failed.stderr
    assert _removed(failed) == ["shop-create-order", "shop-monitoring"]
    assert again.returncode == 0, again.stderr
    assert _removed(again)[:2] == ["shop-monitoring", "shop-charge-payment"]


def _everything(running: Environment) -> dict[str, list[str]]:
    """Name all there is of the deployment, and of any whose prefix begins with its own."""

    def names(api: str, operation: str, key: str, name: str, **request: Any) -> list[str]:
        answer = getattr(_client(running, api), operation)(**request)
        return [one if isinstance(one, str) else str(one[name]) for one in answer.get(key, [])]

    buses = names("events", "list_event_buses", "EventBuses", "Name")
    found = {
        "stacks": names("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "functions": names("lambda", "list_functions", "Functions", "FunctionName"),
        "buses": buses,
        "rules": [
            rule
            for bus in buses
            for rule in names("events", "list_rules", "Rules", "Name", EventBusName=bus)
        ],
        "queues": [url.rpartition("/")[2] for url in names("sqs", "list_queues", "QueueUrls", "")],
        "tables": names("dynamodb", "list_tables", "TableNames", ""),
        "logs": names("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "apis": names("apigatewayv2", "get_apis", "Items", "Name"),
        "roles": names("iam", "list_roles", "Roles", "RoleName"),
        "schedules": names("scheduler", "list_schedules", "Schedules", "Name"),
        "alarms": names("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": names("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        "buckets": names("s3", "list_buckets", "Buckets", "Name"),
    }
    ours = {kind: sorted(one for one in all_ if PREFIX in one) for kind, all_ in found.items()}
    return {kind: names for kind, names in ours.items() if names}


def _removed(done: subprocess.CompletedProcess[str]) -> list[str]:
    return re.findall(r"Removing (.+?) \.\.\.", done.stdout)


def _queues() -> list[str]:
    consumers = ("charge-payment", "notify-shipping", "release-inventory", "reserve-inventory")
    return [f"shop-{one}-failures" for one in consumers]


def _create(running: Environment, stack: str, resources: dict[str, Any]) -> None:
    cloudformation = _client(running, "cloudformation")
    template = json.dumps({"Resources": resources})
    cloudformation.create_stack(
        StackName=stack, TemplateBody=template, Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1}
    )


def _template(running: Environment, stack: str) -> Any:
    return _client(running, "cloudformation").get_template(StackName=stack)["TemplateBody"]


def _ship(running: Environment) -> None:
    with Orders(running.api_url) as orders:
        assert orders.ended(orders.place(ORDER))["status"] == "SHIPPING_SCHEDULED"


def _stall(running: Environment) -> str:
    """Place an order whose first event no service consumes."""
    rule = {"Name": "shop-reserve-inventory", "EventBusName": PREFIX}
    _client(running, "events").disable_rule(**rule)
    with Orders(running.api_url) as orders:
        order_id = orders.place(ORDER)
    _client(running, "events").enable_rule(**rule)
    return order_id


def _stored(running: Environment, order_id: str) -> bool:
    found = _client(running, "dynamodb").get_item(
        TableName="shop-orders", Key={"orderId": {"S": order_id}}
    )
    return "Item" in found


def _queue_url(running: Environment, queue: str = CHARGE_QUEUE) -> str:
    return str(_client(running, "sqs").get_queue_url(QueueName=queue)["QueueUrl"])


def _client(running: Environment, name: str) -> Any:
    return session().client(name, endpoint_url=running.endpoint)  # type: ignore[call-overload]

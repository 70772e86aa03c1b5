"""The `saga` command, as a person runs it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import environment
from harness.cli import COMMANDS, parser
from harness.connect import REGION, session
from harness.deploy import startup_failures
from harness.emulator import ROOT
from harness.logs import errors
from harness.names import PREFIX, stack_name
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from tests.e2e.shop import eventually

NO_ORDER = "00000000-0000-4000-8000-00000000000a"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    yield home
    environment.down(home)


@pytest.fixture(scope="module")
def running(home: Path) -> Path:
    started = _saga(home, "up", "--detach")
    assert started.returncode == 0, started.stderr
    return home


def test_up_shows_what_it_does_and_how_to_order(tmp_path: Path) -> None:
    started = _saga(tmp_path, "up", "--detach")
    found = environment.find(tmp_path)
    stopped = _saga(tmp_path, "down")

    assert started.returncode == 0
    assert "Starting the emulator ..." in started.stdout
    assert "Deploying order-saga-release-inventory ..." in started.stdout
    assert found is not None
    assert f"The orders' API: {found.api_url}" in started.stdout
    assert stopped.stdout == "Stopped.\n"
    assert _is_gone(_pid(found))


def test_a_second_up_reports_that_one_runs(running: Path) -> None:
    again = _saga(running, "up", "--detach")

    found = environment.find(running)
    assert found is not None
    assert again.returncode == 0
    assert again.stdout == f"Running already: {found.api_url} (`saga down` stops it)\n"


def test_down_twice_reports_that_nothing_runs(tmp_path: Path) -> None:
    stopped = _saga(tmp_path, "down")

    assert (stopped.returncode, stopped.stdout) == (0, "Nothing was running.\n")


def test_trigger_draws_each_scenario_and_prints_its_final_record(running: Path) -> None:
    triggered = _saga(running, "trigger", "--scenario", "all")

    happy, shipped, empty, failed, declined, released = triggered.stdout.splitlines()
    assert triggered.returncode == 0
    assert happy.startswith("happy         CREATED ─")
    assert happy.endswith("→ SHIPPING_SCHEDULED")
    assert json.loads(shipped)["trackingNumber"].startswith("TRK-")
    assert empty.endswith("→ INVENTORY_FAILED")
    assert json.loads(failed)["failureReason"] == "out of stock"
    assert declined.endswith("→ INVENTORY_RELEASED")
    assert json.loads(released)["failureReason"] == "card declined"


def test_trigger_counts_how_many_orders_ended_where(running: Path) -> None:
    triggered = _saga(running, "trigger", "--scenario", "all", "--count", "5")

    *records, first, second, third = triggered.stdout.splitlines()
    assert triggered.returncode == 0
    assert len(records) == 15
    assert {line.split(",")[0] for line in (first, second, third)} == {
        "5 SHIPPING_SCHEDULED",
        "5 INVENTORY_FAILED",
        "5 INVENTORY_RELEASED",
    }


def test_trigger_shows_the_status_of_an_order_that_did_not_end_in_time(running: Path) -> None:
    found = environment.find(running)
    assert found is not None
    events = session().client("events", endpoint_url=found.endpoint)
    rule = {"Name": stack_name("charge_payment"), "EventBusName": PREFIX}

    events.disable_rule(**rule)
    stuck = _saga(running, "trigger", "--timeout", "0.5")
    events.enable_rule(**rule)

    assert stuck.returncode == 1
    assert "did not end in 0.5 s: order is now INVENTORY_RESERVED, since 20" in stuck.stdout


def test_no_service_is_accused_of_what_an_order_or_the_command_itself_did(running: Path) -> None:
    refused = _saga(running, "trigger", "--quantity", "0")
    started = _started(running)
    probed = list(startup_failures(started.endpoint))
    logged = errors(started.endpoint, SERVICES)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert probed == []
    assert [line for line in logged if "requestContext" in line or "EnvelopeError" in line] == []


def test_trigger_shows_why_the_api_refuses_an_order(running: Path) -> None:
    refused = _saga(running, "trigger", "--quantity", "0", "--amount", "-5")

    assert refused.returncode == 1
    assert refused.stderr == (
        "saga: The order was refused: Correct quantity, amountCents. "
        "quantity: Expected `int` >= 1; amountCents: Expected `int` >= 0\n"
    )


def test_order_shows_the_steps_and_the_record_of_one_order(running: Path) -> None:
    record = _saga(running, "trigger", "--sku", "OUT-OF-STOCK").stdout.splitlines()[-1]

    shown = _saga(running, "order", json.loads(record)["orderId"])

    assert shown.returncode == 0
    assert shown.stdout.splitlines()[-1] == record
    assert "CREATED ─" in shown.stdout


def test_an_unknown_order_is_one_sentence(running: Path) -> None:
    unknown = _saga(running, "order", NO_ORDER.upper())

    assert unknown.returncode == 1
    assert unknown.stderr == (
        f"saga: No record of order {NO_ORDER}: No order has this id: use the one that POST "
        "returned.\n"
    )


def test_trace_shows_each_step_and_what_was_compensated(running: Path) -> None:
    record = json.loads(_saga(running, "trigger", "--scenario", "declined").stdout.splitlines()[-1])

    shown = _saga(running, "trace", record["orderId"], "--follow")
    parsed = json.loads(_saga(running, "trace", record["orderId"], "--json").stdout)

    first, *steps, compensated = shown.stdout.splitlines()
    assert shown.returncode == 0
    trace_id = record["orderId"].replace("-", "")
    assert first == f"order {record['orderId']}, trace {trace_id}, times in UTC"
    assert [line.split()[-1] for line in steps] == [
        "OrderCreated",
        "InventoryReserved",
        "PaymentFailed",
        "here",
    ]
    assert compensated == "compensated: INVENTORY_RESERVED (card declined)"
    assert [step["service"] for step in parsed["steps"]] == [
        "create_order",
        "reserve_inventory",
        "charge_payment",
        "release_inventory",
    ]


def test_trace_names_what_an_order_waits_for_and_follows_it_to_its_end(running: Path) -> None:
    found = environment.find(running)
    assert found is not None
    events = session().client("events", endpoint_url=found.endpoint)
    rule = {"Name": stack_name("notify_shipping"), "EventBusName": PREFIX}

    events.disable_rule(**rule)
    with Orders(found.api_url) as orders:
        order_id = orders.place(SCENARIOS["happy"])
        eventually(lambda: orders.find(order_id)["status"] == "PAYMENT_CHARGED")
        stuck = _saga(running, "trace", order_id, "--overdue", "0.001")
        listed = _saga(running, "trace", "--open", "--overdue", "0.001")
        left = _saga(running, "trace", "--open", "--older-than", "2100-01-01")
        drained = _saga(running, "trace", "--open", "--older-than", "1h")
        events.enable_rule(**rule)
        _saga(running, "resume")
        ended = _saga(running, "trace", order_id, "--follow")

    waits = "waits for notify_shipping to consume PaymentCharged, attempt 1, since "
    assert waits in stuck.stdout
    assert "OVERDUE" in stuck.stdout
    [line] = [line for line in listed.stdout.splitlines() if order_id in line]
    assert "PAYMENT_CHARGED     waits for notify_shipping" in line
    assert "in progress" in listed.stdout.splitlines()[-1]
    assert (listed.returncode, left.returncode, drained.returncode) == (0, 1, 0)
    assert order_id in left.stdout
    assert "in progress from before 2100-01-01T00:00:00.000Z" in left.stdout
    assert drained.stdout.startswith("0 in progress from before ")
    assert "SHIPPING_SCHEDULED" in ended.stdout
    assert "waits for" not in ended.stdout


def test_older_than_is_about_all_that_are_open(running: Path) -> None:
    refused = _saga(running, "trace", NO_ORDER, "--older-than", "1h")
    wrong = _saga(running, "trace", "--open", "--older-than", "soon")

    assert (refused.returncode, wrong.returncode) == (1, 2)
    assert "give --open with it" in refused.stderr
    assert "give a time such as 2026-01-31T09:00:00Z" in wrong.stderr


@pytest.mark.parametrize("arguments", [[], [NO_ORDER, "--open"]])
def test_trace_wants_one_order_or_all_that_are_open(running: Path, arguments: list[str]) -> None:
    refused = _saga(running, "trace", *arguments)

    assert refused.returncode == 1
    assert "Name one order, or give --open" in refused.stderr


def test_stock_is_shown_and_set(running: Path) -> None:
    set_ = _saga(running, "stock", "MUGS", "7")
    all_ = _saga(running, "stock")
    unknown = _saga(running, "stock", "NO-SUCH-THING")

    assert set_.stdout.split() == ["MUGS", "7"]
    assert ["MUGS", "7"] in [line.split() for line in all_.stdout.splitlines()]
    assert unknown.returncode == 1
    assert "`saga stock NO-SUCH-THING 10` adds ten" in unknown.stderr


def test_setting_the_stock_on_aws_names_where_and_what_it_was(running: Path) -> None:
    aws = _aws(running)

    new = _saga(running, "stock", "CUPS", "7", "--aws", **aws)
    again = _saga(running, "stock", "CUPS", "5", "--aws", **aws)
    shown = _saga(running, "stock", "CUPS", "--aws", **aws)
    unknown = _saga(running, "stock", "NO-SUCH-THING", "--aws", **aws)

    where = "order-saga on AWS, account 000000000000, us-east-1"
    assert new.stdout.splitlines()[0] == (
        f"Set the units of CUPS, which was not there before, in {where}:"
    )
    assert again.stdout.splitlines()[0] == f"Set the units of CUPS, which had 7, in {where}:"
    assert [again.stdout.split()[-2:], shown.stdout.split()] == [["CUPS", "5"]] * 2
    assert "`saga stock NO-SUCH-THING 10 --aws` adds ten" in unknown.stderr


def test_logs_on_aws_are_those_of_the_last_minutes_of_all_functions_in_one(running: Path) -> None:
    aws = _aws(running)
    record = json.loads(_saga(running, "trigger").stdout.splitlines()[-1])
    logs = session().client("logs", endpoint_url=aws["AWS_ENDPOINT_URL"])
    group, an_hour_ago = "/saga/order-saga-charge-payment", int((time.time() - 3600) * 1000)
    logs.create_log_stream(logGroupName=group, logStreamName="former")
    logs.put_log_events(
        logGroupName=group,
        logStreamName="former",
        logEvents=[{"timestamp": an_hour_ago, "message": "an hour ago"}],
    )

    recent = _saga(running, "logs", "--aws", **aws)
    earlier = _saga(running, "logs", "charge_payment", "--aws", "--since", "2h", **aws)

    ours = [line for line in recent.stdout.splitlines() if record["orderId"] in line]
    assert {line.split()[0] for line in ours} >= {"create_order", "notify_shipping"}
    assert "an hour ago" not in recent.stdout
    assert "charge_payment     an hour ago\n" in earlier.stdout


def test_a_log_group_that_is_not_there_is_named_after_what_the_others_have(
    running: Path,
) -> None:
    found = _started(running)
    logs = session().client("logs", endpoint_url=found.endpoint)
    logs.delete_log_group(logGroupName="/saga/order-saga-resume-orders")

    shown = _saga(running, "logs", "--aws", **_aws(running))
    logs.create_log_group(logGroupName="/saga/order-saga-resume-orders")

    assert shown.returncode == 1
    assert "create_order " in shown.stdout
    assert shown.stderr.startswith(
        "saga: There is no log group /saga/order-saga-resume-orders: deploy first, or "
    )


def test_logs_show_what_one_function_logged_of_an_order(running: Path) -> None:
    record = json.loads(_saga(running, "trigger").stdout.splitlines()[-1])

    shown = _saga(running, "logs", "charge_payment")

    # Functions that run side by side may log in another order than they were called in.
    [found] = [line for line in shown.stdout.splitlines() if record["orderId"] in line]
    line = json.loads(found.removeprefix("charge_payment").strip())
    assert shown.returncode == 0
    measured = {line.pop(name) is None for name in ("_aws", "stepMilliseconds", "ageMilliseconds")}
    assert measured == {False}
    assert line.pop("coldStart") in (True, False)
    assert line == {
        "level": "INFO",
        "message": "payment decided",
        "orderId": record["orderId"],
        "traceId": record["orderId"].replace("-", ""),
        "consumed": "InventoryReserved",
        "function": "order-saga-charge-payment",
        "outcome": "applied",
        "status": "PAYMENT_CHARGED",
        "published": "PaymentCharged",
    }


def test_one_service_is_deployed_while_the_others_run(running: Path) -> None:
    deployed = _saga(running, "deploy", "notify_shipping", "--anyway")

    assert deployed.returncode == 0
    assert "Deploying order-saga-notify-shipping ..." in deployed.stdout
    assert "charge-payment" not in deployed.stdout


def test_a_service_that_does_not_exist_is_one_sentence(running: Path) -> None:
    refused = _saga(running, "deploy", "notify_everyone")

    assert refused.returncode == 1
    assert refused.stderr.startswith("saga: There is no service notify_everyone: name one of ")


@pytest.mark.parametrize(
    "command",
    [
        ["trigger"],
        ["order", NO_ORDER],
        ["trace", NO_ORDER],
        ["stock"],
        ["deploy", "--anyway"],
        ["failures"],
        ["redrive"],
    ],
)
def test_without_an_environment_a_command_shows_how_to_start_one(
    tmp_path: Path, command: list[str]
) -> None:
    refused = _saga(tmp_path, *command)

    assert refused.returncode == 1
    assert refused.stderr == (
        "saga: No environment is running: start one with `saga up` (or `make up`).\n"
    )


def test_a_taken_port_is_one_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = _saga(tmp_path, "up", "--detach", "--port", str(port))

    assert refused.returncode == 1
    assert f"Port {port} cannot be had (Address already in use)" in refused.stderr
    assert environment.find(tmp_path) is None


def test_without_node_the_message_is_to_install_it(tmp_path: Path) -> None:
    refused = _saga(tmp_path, "up", "--detach", PATH=str(tmp_path))

    assert refused.returncode == 1
    assert "The CDK needs Node.js: install node" in refused.stderr
    assert environment.find(tmp_path) is None


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    with _stay(tmp_path) as process:
        found = _started(tmp_path)

        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert _is_gone(_pid(found))
    assert environment.find(tmp_path) is None


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with _stay(tmp_path) as process:
        eventually(lambda: (tmp_path / "emulator.log").exists())

        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert environment.find(tmp_path) is None
    assert _processes_with(str(tmp_path)) == []


def test_an_emulator_that_dies_ends_the_command_with_a_reason(tmp_path: Path) -> None:
    with _stay(tmp_path) as process:
        found = _started(tmp_path)

        os.kill(_pid(found), signal.SIGKILL)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "The emulator ended by itself" in errors
    assert _is_gone(_pid(found))


def test_what_a_killed_emulator_leaves_behind_is_ended_by_down(tmp_path: Path) -> None:
    assert _saga(tmp_path, "up", "--detach").returncode == 0
    found = environment.find(tmp_path)
    assert found is not None
    with Orders(found.api_url) as orders:
        orders.ended(orders.place(SCENARIOS["happy"]))

    # A function that waits for its next event ends by itself: only one that cannot outlives it.
    mark = f"TMPDIR={tmp_path / 'emulator.files'}"
    pids = [int(process.split()[0]) for process in _processes_with(mark)]
    functions = [pid for pid in pids if pid != _pid(found)]
    for pid in functions:
        os.kill(pid, signal.SIGSTOP)
    os.kill(_pid(found), signal.SIGKILL)
    stopped = _saga(tmp_path, "down")

    assert len(functions) >= 4
    assert stopped.stdout == "Stopped.\n"
    assert eventually(lambda: _processes_with(str(tmp_path)) == [])


def test_a_down_elsewhere_ends_the_command_in_peace(tmp_path: Path) -> None:
    with _stay(tmp_path) as process:
        _started(tmp_path)

        environment.down(tmp_path)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert output.endswith("Stopped by `saga down`.\n")


@pytest.mark.parametrize("name", [one.name for one in COMMANDS if one.deployed])
def test_every_command_that_speaks_to_a_deployment_takes_its_prefix(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([name, "--help"])

    assert "--prefix" in capsys.readouterr().out


def test_the_commands_without_a_prefix_are_those_that_speak_to_no_deployment() -> None:
    without = {one.name for one in COMMANDS if not one.deployed}

    assert without == {"build", "contracts", "demo", "explore", "flow", "story"}


def test_a_prefix_names_everything_of_a_deployment(tmp_path: Path) -> None:
    started = _saga(tmp_path, "up", "--detach", "--prefix", "shop")
    try:
        ordered = _saga(tmp_path, "trigger", SAGA_PREFIX="shop")
        listed = _saga(tmp_path, "trace", "--open", "--prefix", "shop")
        failed = _saga(tmp_path, "failures", "--prefix", "shop")
        other = _saga(tmp_path, "trace", "--open")
    finally:
        stopped = _saga(tmp_path, "down")

    assert "Deploying shop-charge-payment ..." in started.stdout
    assert "SHIPPING_SCHEDULED" in ordered.stdout
    assert listed.stdout.endswith("0 in progress, 0 overdue.\n")
    assert failed.stdout == "0 transient, 0 poison.\n"
    assert other.returncode == 1
    assert "is deployed as shop, not order-saga: add --prefix shop" in other.stderr
    assert stopped.stdout == "Stopped.\n"


@pytest.mark.parametrize("prefix", ["", "Shop", "1shop", "shop-", "my shop", "s" * 33])
def test_a_prefix_that_cannot_begin_a_name_is_refused(tmp_path: Path, prefix: str) -> None:
    refused = _saga(tmp_path, "trace", "--open", "--prefix", prefix)

    assert refused.returncode == 2
    assert "use 2 to 32 lower-case letters, digits and hyphens" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trigger", "--count", "x"], "give 1 to 10000, not x"),
        (["trigger", "--count", "0"], "give 1 to 10000, not 0"),
        (["trigger", "--timeout", "soon"], "give a number of seconds above 0, not soon"),
        (["trigger", "--timeout", "nan"], "give a number of seconds above 0, not nan"),
        (["up", "--port", "70000"], "give 1 to 65535, not 70000"),
    ],
)
def test_a_number_that_cannot_be_is_refused_with_what_can(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(arguments)

    assert capsys.readouterr().err.endswith(f"{expected}\n")


def _saga(home: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "--home", str(home), *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _aws(home: Path) -> dict[str, str]:
    """Return the variables that lead a command to this environment in the place of AWS."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": _started(home).endpoint,
    }


def _stay(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "--home", str(home), "up"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _started(home: Path) -> environment.Environment:
    return eventually(lambda: environment.find(home))


def _pid(running: environment.Environment) -> int:
    assert running.emulator is not None
    return running.emulator.pid


def _is_gone(group: int) -> bool:
    """Wait until the whole process group is gone, the dead that init has to bury included."""

    def look() -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    return eventually(look)


def _processes_with(text: str) -> list[str]:
    """Return the processes whose environment has this text, as an emulator's has its home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (process / "environ").read_bytes():
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(f"{process.name} {command}")
        except OSError:
            continue  # it ended while we looked
    return found

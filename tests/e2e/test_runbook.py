"""Every command of the runbook, as it stands there, does its work."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from harness.deploy import session, stack_name
from harness.emulator import REGION, ROOT
from harness.environment import Environment
from harness.orders import SCENARIOS, Orders
from tests.world import sample

RUNBOOK = ROOT / "docs" / "runbook.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _commands() -> list[str]:
    return [line for block in BLOCK.findall(RUNBOOK.read_text()) for line in block.splitlines()]


@pytest.fixture(scope="module")
def order_id(orders: Orders) -> str:
    """Place the order that the commands speak of."""
    return str(orders.ended(orders.place(SCENARIOS["happy"]))["orderId"])


def test_every_command_of_the_runbook_stands_where_it_is_tried() -> None:
    assert set(re.findall(r"\./saga [a-z]+", RUNBOOK.read_text())) == {
        " ".join(command.split()[:2]) for command in _commands()
    }


@pytest.mark.parametrize("command", sorted(set(_commands())))
@pytest.mark.parametrize("saga", ["processes"], indirect=True, scope="session")
def test_a_command_of_the_runbook_ends_well(
    saga: Environment, order_id: str, tmp_path: Path, command: str
) -> None:
    _fail(saga, order_id)
    named = {"ORDER_ID": order_id, "SERVICE": "charge_payment", "SKU": "TEA", "UNITS": "100000"}

    done = _typed(_filled_in(command, named), saga, tmp_path)

    assert command.startswith("./saga ")
    assert done.returncode == 0, done.stdout + done.stderr


def _filled_in(command: str, named: Mapping[str, str]) -> str:
    return re.sub(r"\b[A-Z_]{3,}\b", lambda placeholder: named[placeholder[0]], command)


def _typed(command: str, saga: Environment, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does, with this environment as that of the machine, and as AWS."""
    (home / "environment.json").write_bytes(msgspec.json.encode(saga))
    aws = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": saga.endpoint,
    }
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=os.environ | aws | {"SAGA_FILES": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _fail(saga: Environment, order_id: str) -> None:
    """Let one event of the order wait in a failure queue, and nothing else."""
    sqs = session().client("sqs", endpoint_url=saga.endpoint)
    queue = sqs.get_queue_url(QueueName=f"{stack_name('charge_payment')}-failures")["QueueUrl"]
    sqs.purge_queue(QueueUrl=queue)
    event = sample("InventoryReserved", orderId=order_id)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))

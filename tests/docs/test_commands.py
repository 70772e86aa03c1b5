"""Every command of the README and of the documents works, exactly as it is written.

Commands of `saga` are run, against an environment that is the machine's and AWS in one. Of the
others, each line is held to what it needs: its target, its stack, its script, or the test that runs
it. A line of any other kind fails.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from harness import cdk, environment
from harness.cli import parser
from harness.connect import REGION, session
from harness.deploy import synthesize
from harness.emulator import ROOT
from harness.environment import HOME, Environment
from harness.names import stack_name
from harness.orders import SCENARIOS, Orders
from harness.releases import Passed, fingerprint, remember
from tests.world import sample

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`((?:\./saga|make|docker|compose/\w+|npx) [^`]*)`")
# What a test runs elsewhere, with the file that has that test.
ELSEWHERE = {
    "docker compose up -d": "tests/e2e/test_compose.py",
    "docker compose down": "tests/e2e/test_compose.py",
    "compose/bases >> .env": "tests/e2e/containers.py",
    "compose/engine socket >> .env": "tests/e2e/test_engine.py",
    "compose/engine up": ".ci/run",
    "./saga explore": "tests/simulation/test_exploration.py",
}


def _lines(document: Path) -> list[str]:
    """Return the commands in a document's blocks, without their comments."""
    lines = [line for block in BLOCK.findall(document.read_text()) for line in block.splitlines()]
    whole = "\n".join(lines).replace("\\\n", " ")
    typed = [re.sub(r"\s+# .*", "", line).strip() for line in whole.splitlines()]
    return [part for line in typed if line for part in line.split(" && ")]


LINES = sorted({line for document in DOCUMENTS for line in _lines(document)})
INLINES = sorted({one for document in DOCUMENTS for one in INLINE.findall(document.read_text())})
SAGA = [line for line in LINES if line.startswith("./saga ")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    home = tmp_path_factory.mktemp("saga")
    started, _ = environment.up(home, None, lambda doing: None)
    yield started
    environment.down(home)


@pytest.fixture(scope="module")
def order_id(running: Environment) -> str:
    """Place the order that the commands name."""
    with Orders(running.api_url) as orders:
        return str(orders.ended(orders.place(SCENARIOS["happy"]))["orderId"])


@pytest.mark.parametrize(
    "command", [line for line in SAGA if line.split()[1] != "ui" and line not in ELSEWHERE]
)
def test_a_command_of_saga_ends_well(
    running: Environment, order_id: str, tmp_path: Path, command: str
) -> None:
    _fail(running, order_id)

    done = _run(_filled_in(command, order_id), running, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


def test_of_two_buyers_of_the_last_unit_one_ships(running: Environment, tmp_path: Path) -> None:
    [command] = [line for line in SAGA if "LAST-ONE" in line]
    running.stock.set({"LAST-ONE": 1})

    done = _run(command, running, tmp_path)

    ended = re.findall(r"→ (\w+)\n", done.stdout)
    assert sorted(ended) == ["INVENTORY_FAILED", "SHIPPING_SCHEDULED"]


def test_the_page_is_served_until_it_is_ended(running: Environment, tmp_path: Path) -> None:
    [command] = [line for line in SAGA if line.split()[1] == "ui"]
    _note(running, tmp_path)

    process = subprocess.Popen(
        command.split(),
        cwd=ROOT,
        env=os.environ | {"SAGA_FILES": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert first.startswith("Watch it: http://127.0.0.1:")


@pytest.mark.parametrize("command", [line for line in LINES if line.startswith("make ")])
def test_a_target_of_make_exists_with_its_variables(command: str) -> None:
    dry = subprocess.run(
        ["sh", "-c", command.replace("make ", "make -n ", 1)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert dry.returncode == 0, dry.stderr


@pytest.mark.parametrize("command", [line for line in LINES if line.startswith("npx ")])
def test_a_command_of_the_cdk_is_pinned_as_in_the_harness_and_names_stacks_that_exist(
    command: str,
) -> None:
    tool, _, *arguments = command.removeprefix("npx ").split()
    stacks = {path.name.split(".")[0] for path in synthesize(HOME).glob("*.template.json")}

    assert tool == cdk.CLI
    assert {one for one in arguments if not one.startswith("--")} <= stacks


def test_no_line_is_of_a_kind_that_nothing_tries() -> None:
    tried = ("./saga ", "make ", "npx ")

    others = [line for line in LINES if not line.startswith(tried) and line not in ELSEWHERE]

    assert others == []


@pytest.mark.parametrize("command", INLINES)
def test_a_command_within_a_sentence_can_be_typed(command: str) -> None:
    name, *words = command.split()

    match name:
        case "./saga":
            with contextlib.suppress(SystemExit) if words == ["--help"] else nullcontext():
                assert parser().parse_args(words).run
        case "make":
            targets = [word for word in words if "=" not in word]
            makefile = (ROOT / "Makefile").read_text()
            assert targets
            for target in targets:
                assert re.search(rf"^{re.sub('-.*', '', target)}[\w%-]*:", makefile, re.MULTILINE)
        case _:
            path = ELSEWHERE[command]
            assert (ROOT / path).exists()
            assert (ROOT / name).exists() or name == "docker"


def _filled_in(command: str, order_id: str) -> str:
    named = {"ORDER_ID": order_id, "SERVICE": "charge_payment", "SKU": "TEA", "UNITS": "100000"}
    placeholder = re.compile(r"(?<![\w$\"-])[A-Z_]{3,}\b(?!-)")
    return placeholder.sub(lambda found: named.get(found[0], found[0]), command)


def _run(command: str, running: Environment, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command as a shell does, with this environment as that of the machine, and as AWS."""
    _note(running, home)
    # As after the exploration that a recipe has before it, also where a service changed.
    remember(home, Passed("", fingerprint(ROOT), (), only_in_order=False))
    aws = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": running.endpoint,
        "API_URL": running.api_url,
    }
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT,
        env=os.environ | aws | {"SAGA_FILES": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _note(running: Environment, home: Path) -> None:
    """Let an environment be that of a home, but for its process, which is another home's."""
    environment.note(home, msgspec.structs.replace(running, emulator=None))


def _fail(running: Environment, order_id: str) -> None:
    """Put one event of the order into a failure queue, and nothing else."""
    sqs = session().client("sqs", endpoint_url=running.endpoint)
    queue = sqs.get_queue_url(QueueName=f"{stack_name('charge_payment')}-failures")["QueueUrl"]
    sqs.purge_queue(QueueUrl=queue)
    event = sample("InventoryReserved", orderId=order_id)
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))

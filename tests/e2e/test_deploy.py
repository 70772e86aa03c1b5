"""Stacks on the emulator: in any order, and with a reason when one fails."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import deploy, emulator
from harness.connect import session
from harness.emulator import Emulator
from harness.environment import HOME, Clients
from harness.errors import UserError
from harness.names import PLATFORM, stack_name
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from harness.stock import SEED_STOCK, Stock


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Emulator]:
    started = emulator.start(tmp_path, None)
    yield started
    emulator.stop(started)


@pytest.mark.parametrize("services", [SERVICES[::-1], SERVICES[2:] + SERVICES[:2]])
def test_services_deploy_in_any_order_after_the_platform(
    started: Emulator, services: tuple[str, ...]
) -> None:
    assembly = deploy.synthesize(HOME)

    for stack in [PLATFORM, *map(stack_name, services)]:
        deploy.deploy(started.url, assembly, stack)

    Stock(Clients(session(), started.url)).seed(SEED_STOCK)
    with Orders(deploy.api_url(started.url)) as orders:
        record = orders.ended(orders.place(SCENARIOS["happy"]))
    assert record["status"] == "SHIPPING_SCHEDULED"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ({"Type": "AWS::No::Such"}, "is refused: .*AWS::No::Such"),
        (
            {
                "Type": "AWS::Lambda::Url",
                "Properties": {"AuthType": "NONE", "TargetFunctionArn": "no-such-function"},
            },
            "is .*ROLLBACK.*: Wrong: .*no-such-function",
        ),
    ],
    ids=["refused at once", "fails later"],
)
def test_a_stack_that_fails_names_the_resource_and_the_reason(
    started: Emulator, tmp_path: Path, resource: dict[str, object], reason: str
) -> None:
    assembly = shutil.copytree(deploy.synthesize(HOME), tmp_path / "cdk.out")
    path = assembly / f"{PLATFORM}.template.json"
    template = json.loads(path.read_text())
    template["Resources"]["Wrong"] = resource
    path.write_text(json.dumps(template))

    with pytest.raises(UserError, match=f"Stack order-saga-platform {reason}"):
        deploy.deploy(started.url, assembly, PLATFORM)

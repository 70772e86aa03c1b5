"""`saga deploy --aws`: the CDK's own command, as it goes to AWS, on an emulator in AWS's place."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import cdk, emulator
from harness.connect import session
from harness.emulator import ROOT
from harness.names import MONITORING
from tests.clone import clone, saga
from tests.npm import needs_npm

pytestmark = needs_npm

SETTINGS = """
architecture = "arm64"
alarms_topic = "arn:aws:sns:us-east-1:111122223333:pager"
reserved_concurrency = { charge_payment = 7 }
"""
SHOP = "shop-charge-payment"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Yield the environment of a person who is logged in, where the CDK is bootstrapped."""
    home = tmp_path_factory.mktemp("aws")
    process = emulator.start(home, None)
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    person = {"AWS_ENDPOINT_URL": process.url, "AWS_REGION": "us-east-1", **credentials}
    try:
        _cdk(ROOT, person, "bootstrap", "aws://000000000000/us-east-1")
        yield person
    finally:
        emulator.stop(process)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy = clone(tmp_path)
    shutil.copy(ROOT / "cdk.json", copy)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    (copy / "infra/deployments/shop.toml").write_text(SETTINGS)
    return copy


def test_everything_is_deployed_in_an_order_that_loses_no_event_and_a_second_run_changes_nothing(
    aws: dict[str, str], copy: Path
) -> None:
    first = saga(copy, "deploy", "--aws", "--yes", "--anyway", **aws)
    again = saga(copy, "deploy", "--aws", "--yes", "--anyway", **aws)

    # The emulator knows no saved queries, so that the last stack fails there, and with a reason.
    stacks = [line.split(" (")[0] for line in first.stdout.splitlines() if " of 8)" in line]
    assert (stacks[0], stacks[-2:]) == (
        "order-saga-platform",
        ["order-saga-create-order", MONITORING],
    )
    assert "AWS::Logs::QueryDefinition" in first.stdout + first.stderr
    assert first.stderr.splitlines()[-1].startswith(f"saga: {MONITORING} was not deployed")
    assert (first.returncode, again.returncode) == (1, 1)
    assert again.stdout.count("(no changes)") + again.stderr.count("(no changes)") == 7


def test_another_route_to_a_deployment_finds_nothing_to_change(
    aws: dict[str, str], copy: Path
) -> None:
    person = {**aws, "SAGA_PREFIX": "shop"}

    by_saga = saga(copy, "deploy", "charge_payment", "--aws", "--yes", "--anyway", **person)
    by_hand = _cdk(copy, person, "deploy", "--exclusively", "--require-approval", "never", SHOP)

    assert by_saga.returncode == 0, by_saga.stderr
    assert f"{SHOP} (no changes)" in by_hand
    resources = _template(aws, SHOP)["Resources"].values()
    [function] = [one for one in resources if one["Type"] == "AWS::Lambda::Function"]
    assert function["Properties"]["Architectures"] == ["arm64"]
    assert function["Properties"]["ReservedConcurrentExecutions"] == 7
    alarms = [one for one in resources if one["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 7
    assert all(alarm["Properties"]["AlarmActions"] for alarm in alarms)


def test_a_deployment_in_another_account_is_neither_read_nor_written(
    aws: dict[str, str], copy: Path
) -> None:
    settings = copy / "infra/deployments/shop.toml"
    settings.write_text('account = "111122223333"\n' + settings.read_text())

    refused = saga(copy, "stock", "TEA", "5", "--aws", "--prefix", "shop", **aws)

    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "saga: shop is in the account 111122223333, and you are logged in to 000000000000"
    )


def test_a_deployment_without_settings_is_refused_before_anything_is_deployed(
    aws: dict[str, str], copy: Path
) -> None:
    refused = saga(copy, "deploy", "--aws", "--yes", "--anyway", "--prefix", "typo", **aws)

    assert refused.returncode == 1
    assert refused.stderr.startswith("saga: There is no infra/deployments/typo.toml")
    assert refused.stdout == ""


def test_without_a_region_nothing_is_deployed(aws: dict[str, str], copy: Path) -> None:
    nowhere = {"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": os.devnull}

    refused = saga(copy, "deploy", "charge_payment", "--aws", "--anyway", **{**aws, **nowhere})

    assert refused.stderr.startswith("saga: No AWS region is chosen: set AWS_REGION")
    assert refused.stdout == ""


def test_a_service_that_is_deployed_and_no_service_any_more_is_named(
    aws: dict[str, str], copy: Path
) -> None:
    cloudformation = session().client("cloudformation", endpoint_url=aws["AWS_ENDPOINT_URL"])
    template = {
        "Description": "Order saga: the service check_fraud.",
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    }
    for name in ("shop-check-fraud", "shop-eu-check-fraud"):
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))

    person = {**aws, "SAGA_PREFIX": "shop"}
    deployed = saga(copy, "deploy", "notify_shipping", "--aws", "--yes", "--anyway", **person)

    assert deployed.returncode == 0, deployed.stderr
    assert [line for line in deployed.stdout.splitlines() if "check_fraud" in line] == [
        "check_fraud is deployed, and no service here: `saga teardown --only check_fraud`."
    ]


def _cdk(folder: Path, person: dict[str, str], *arguments: str) -> str:
    run = subprocess.run(
        ["npx", "--yes", cdk.CLI, *arguments],
        cwd=folder,
        env={**os.environ, **person},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout + run.stderr


def _template(aws: dict[str, str], stack: str) -> Any:
    cloudformation = session().client("cloudformation", endpoint_url=aws["AWS_ENDPOINT_URL"])
    found = cloudformation.get_template(StackName=stack)["TemplateBody"]
    return json.loads(found) if isinstance(found, str) else found

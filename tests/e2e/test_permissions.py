"""Each role on an emulator that enforces permissions: what is granted works, all else is denied.

What the emulator cannot judge is checked by IAM's own rules in tests/infra/test_policies.py.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from harness import deploy, emulator
from harness.connect import session
from harness.environment import HOME, Clients, Environment
from harness.names import PLATFORM, PREFIX, stack_name
from harness.orders import SCENARIOS, Orders
from harness.saga import SERVICES
from harness.stock import SEED_STOCK, Stock
from tests.e2e.attempts import Permission, attempts, queues, role_arn, root
from tests.grants import GRANTS
from tests.world import sample


@pytest.fixture(scope="module")
def saga(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    home = tmp_path_factory.mktemp("enforcing")
    assembly = shutil.copytree(deploy.synthesize(HOME), home / "cdk.out")
    _adapt_to_what_the_emulator_can_judge(assembly)
    started = emulator.start(home, None, enforce_permissions=True)
    try:
        for stack in [PLATFORM, *map(stack_name, SERVICES)]:
            deploy.deploy(started.url, assembly, stack)
        Stock(Clients(session(), started.url)).seed(SEED_STOCK)
        yield Environment(started.url, deploy.api_url(started.url), emulator=started)
    finally:
        emulator.stop(started)


@pytest.mark.parametrize(
    ("scenario", "end"),
    [
        ("happy", "SHIPPING_SCHEDULED"),
        ("out-of-stock", "INVENTORY_FAILED"),
        ("declined", "INVENTORY_RELEASED"),
    ],
)
def test_what_is_granted_suffices_for_every_scenario(
    saga: Environment, scenario: str, end: str
) -> None:
    with Orders(saga.api_url) as orders:
        record = orders.ended(orders.place(SCENARIOS[scenario]))

    assert record["status"] == end


def test_a_function_may_do_what_its_role_may_and_nothing_without(saga: Environment) -> None:
    functions, iam = root(saga, "lambda"), root(saga, "iam")
    role = role_arn(saga, "release_inventory").rpartition("/")[2]
    event = json.dumps(sample("PaymentFailed"))
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

    iam.delete_role_policy(RoleName=role, PolicyName=name)
    try:
        answer = functions.invoke(FunctionName=stack_name("release_inventory"), Payload=event)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    error = json.loads(answer["Payload"].read())
    assert "not authorized to perform: dynamodb:UpdateItem" in error["errorMessage"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_may_do_what_its_row_grants_and_is_denied_all_else(
    saga: Environment, service: str
) -> None:
    granted = _granted(saga, service)

    outcomes = defaultdict[Permission, set[str]](set)
    for needs, call in attempts(saga, service):
        outcomes[needs].add(_outcome(call))

    # With what is granted among it, so that each grant was tried, too.
    all_tried = outcomes.keys() | granted
    assert outcomes == {
        needs: {"allowed"} if needs in granted else {"denied"} for needs in all_tried
    }


def _granted(saga: Environment, service: str) -> set[Permission]:
    granted = {
        (f"dynamodb:{action}", table)
        for table, actions in GRANTS[service].tables.items()
        for action in actions
    }
    granted |= {("logs:CreateLogStream", service), ("logs:PutLogEvents", service)}
    if GRANTS[service].publishes or GRANTS[service].republishes:
        granted |= {("events:PutEvents", PREFIX)}
    if service in queues(saga):
        granted |= {("sqs:SendMessage", service), ("sqs:GetQueueAttributes", service)}
        granted |= {("sqs:GetQueueUrl", service)}
    return granted


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        # Anything else would be neither: a call that is allowed has to succeed.
        return "denied" if code in ("AccessDenied", "AccessDeniedException") else str(error)
    return "allowed"


def _adapt_to_what_the_emulator_can_judge(assembly: Path) -> None:
    """Change in the templates the three things that the emulator denies and AWS does not."""
    for path in assembly.glob("*.template.json"):
        template = json.loads(path.read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::IAM::Policy":
                for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                    _adapt(statement)
            # It is spoken to without TLS, which the queues deny, and rightly so.
            if resource["Type"] == "AWS::SQS::QueuePolicy":
                document = resource["Properties"]["PolicyDocument"]
                document["Statement"] = [s for s in document["Statement"] if s["Effect"] != "Deny"]
        path.write_text(json.dumps(template))


def _adapt(statement: dict[str, Any]) -> None:
    # It does not know the keys of events, and takes every condition on them for not met.
    if statement["Action"] == "events:PutEvents":
        del statement["Condition"]
    # It asks whether one may write to the log group, where AWS asks for the stream in it.
    if "logs:PutLogEvents" in statement["Action"]:
        [group, _] = statement["Resource"]["Fn::GetAtt"]
        of_group = f"arn:aws:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:${{{group}}}"
        statement["Resource"] = {"Fn::Sub": of_group}

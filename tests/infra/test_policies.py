"""What each role may do, as IAM decides it: its own words, its own bus, its own row of grants."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from contracts import CONTRACTS
from harness.names import MONITORING, PLATFORM, stack_name
from harness.saga import SERVICES
from tests.grants import GRANTS, SOURCES, TABLES
from tests.infra.conftest import Assembly
from tests.infra.simulator import Request, Simulator
from tests.npm import needs_npm

ACCOUNT, REGION = "111122223333", "eu-central-1"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/order-saga"
DETAIL_TYPES = [contract.detail_type for contract in CONTRACTS]
# The sources of all services, also of those without events of their own, and two of strangers.
ALL_SOURCES = [f"orders.{service}" for service in SERVICES] + ["orders", "aws.s3"]
PUBLISHES = [service for service in SERVICES if GRANTS[service].publishes]

Policies = Sequence[Mapping[str, Any]]


@needs_npm
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_publish_its_own_events_under_its_own_source_and_nothing_else(
    assembly: Assembly, simulator: Simulator, service: str
) -> None:
    pairs = set(product(ALL_SOURCES, [*DETAIL_TYPES, "AnotherType"]))

    allowed = simulator.allowed(_policies(assembly, service), [_say([pair]) for pair in pairs])

    assert {_said(request) for request in allowed} == {
        pair for pair in pairs if GRANTS[service].may_publish(*pair)
    }


@needs_npm
@pytest.mark.parametrize("service", PUBLISHES)
def test_one_foreign_event_among_its_own_is_refused_and_so_is_one_without_a_name(
    assembly: Assembly, simulator: Simulator, service: str
) -> None:
    own = _own(service)
    foreign = ("orders.stranger", own[1]), (own[0], "AnotherType")
    nameless = [{}, {"events:source": [own[0]]}, {"events:detail-type": [own[1]]}]

    allowed = simulator.allowed(
        _policies(assembly, service),
        [
            _say([own, own]),
            *(_say([own, stranger]) for stranger in foreign),
            *(Request("events:PutEvents", BUS, context) for context in nameless),
        ],
    )

    assert allowed == [_say([own, own])]


@needs_npm
@pytest.mark.parametrize("service", PUBLISHES)
def test_a_service_speaks_on_the_bus_of_its_own_account_and_region_only(
    assembly: Assembly, simulator: Simulator, service: str
) -> None:
    own = _own(service)
    buses = [
        BUS,
        BUS.replace("order-saga", "default"),
        BUS.replace("order-saga", "order-saga-2"),
        BUS.replace(ACCOUNT, "444455556666"),
        BUS.replace(REGION, "us-east-1"),
    ]

    allowed = simulator.allowed(_policies(assembly, service), [_say([own], bus) for bus in buses])

    assert [request.resource for request in allowed] == [BUS]


@needs_npm
@pytest.mark.parametrize("service", SERVICES)
def test_of_all_aws_actions_a_role_may_do_what_its_row_grants(
    assembly: Assembly, simulator: Simulator, service: str
) -> None:
    resources = [arn for stack in assembly.stacks for arn in _arns(assembly, stack)]

    allowed = simulator.all_allowed(_policies(assembly, service), resources)

    stack = stack_name(service)
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/saga/{stack}:log-stream:stream"
    expected = {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}
    for table, actions in GRANTS[service].tables.items():
        expected |= {(f"dynamodb:{action}", _table(table)) for action in actions}
    for queue in assembly.resources(stack, "AWS::SQS::Queue"):
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue['QueueName']}"
        expected |= {("sqs:SendMessage", arn), ("sqs:GetQueueAttributes", arn)}
        expected |= {("sqs:GetQueueUrl", arn)}
    # PutEvents is not among them: asked without the names of an event, it is refused.
    assert allowed == expected


def test_a_function_has_a_role_of_its_own_and_only_lambda_may_take_it(assembly: Assembly) -> None:
    trusted = {
        stack: [
            statement["Principal"]
            for role in assembly.resources(stack, "AWS::IAM::Role")
            for statement in role["AssumeRolePolicyDocument"]["Statement"]
        ]
        for stack in assembly.stacks
    }
    kinds = {
        resource["Type"]
        for stack in assembly.stacks
        for resource in assembly.template(stack)["Resources"].values()
        if resource["Type"].startswith("AWS::IAM::")
    }

    functions: dict[str, Any] = {
        stack_name(service): [{"Service": "lambda.amazonaws.com"}] for service in SERVICES
    }
    functions[stack_name("resume_orders")] += [{"Service": "scheduler.amazonaws.com"}]
    assert trusted == functions | {PLATFORM: [], MONITORING: []}
    assert kinds == {"AWS::IAM::Role", "AWS::IAM::Policy"}


def test_the_schedule_may_call_the_sweep_and_do_nothing_else(assembly: Assembly) -> None:
    stack = stack_name("resume_orders")
    role = assembly.resource(stack, "AWS::Scheduler::Schedule")["Target"]["RoleArn"]["Fn::GetAtt"][
        0
    ]

    [policy] = [
        policy["PolicyDocument"]["Statement"]
        for policy in assembly.resources(stack, "AWS::IAM::Policy")
        if policy["Roles"] == [{"Ref": role}]
    ]

    [function] = [
        name
        for name, resource in assembly.template(stack)["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert policy == [
        {
            "Action": "lambda:InvokeFunction",
            "Effect": "Allow",
            "Resource": {"Fn::GetAtt": [function, "Arn"]},
        }
    ]


def _own(service: str) -> tuple[str, str]:
    """Return the source and the detail-type of an event that is its own."""
    [detail_type, *_] = sorted(GRANTS[service].publishes)
    return SOURCES[detail_type], detail_type


def _say(pairs: Sequence[tuple[str, str]], bus: str = BUS) -> Request:
    """Ask to publish events of these sources and detail-types in one call."""
    sources, detail_types = zip(*pairs, strict=True)
    context = {"events:source": sources, "events:detail-type": detail_types}
    return Request("events:PutEvents", bus, context)


def _said(request: Request) -> tuple[str, str]:
    [source] = request.context["events:source"]
    [detail_type] = request.context["events:detail-type"]
    return source, detail_type


def _policies(assembly: Assembly, service: str) -> Policies:
    """Return the policies of a service's role as they are once deployed."""
    stack = stack_name(service)
    document = {"Version": "2012-10-17", "Statement": assembly.grants(service)}
    return [_resolve(assembly, stack, document)]


def _arns(assembly: Assembly, stack: str) -> list[str]:
    """Return the ARN of every part of a stack that somebody could want to touch."""
    if stack == PLATFORM:
        return [BUS, BUS.replace("order-saga", "default"), *map(_table, TABLES)]
    resources = assembly.template(stack)["Resources"].values()
    arns = [f"arn:aws:iam::{ACCOUNT}:role/{stack}-role"]
    for resource in resources:
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Lambda::Function":
                arns.append(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{stack}")
            case "AWS::Events::Rule":
                arns.append(f"arn:aws:events:{REGION}:{ACCOUNT}:rule/order-saga/{stack}")
            case "AWS::SQS::Queue":
                arns.append(f"arn:aws:sqs:{REGION}:{ACCOUNT}:{properties['QueueName']}")
            case "AWS::Logs::LogGroup":
                group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{properties['LogGroupName']}"
                arns += [group, f"{group}:log-stream:stream"]
    return arns


def _table(table: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/order-saga-{table}"


def _resolve(assembly: Assembly, stack: str, value: Any) -> Any:
    """Put in what CloudFormation does: the account, the region, and ARNs of the stack's parts."""
    match value:
        case {"Ref": "AWS::AccountId"}:
            return ACCOUNT
        case {"Ref": "AWS::Region"}:
            return REGION
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_resolve(assembly, stack, part) for part in parts)
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            resource = assembly.template(stack)["Resources"][name]
            if resource["Type"] == "AWS::Logs::LogGroup":
                group = resource["Properties"]["LogGroupName"]
                return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
            return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{resource['Properties']['QueueName']}"
        case dict():
            return {key: _resolve(assembly, stack, one) for key, one in value.items()}
        case list():
            return [_resolve(assembly, stack, one) for one in value]
    return value

"""The stacks: wired as the services declare, allowed no more than they need, each by itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from contracts import CONTRACTS
from harness.deploy import architecture
from harness.emulator import ROOT
from harness.names import MONITORING, PLATFORM, stack_name
from harness.saga import SERVICES
from infra.app import build_app
from infra.deployment import Deployment
from tests.grants import GRANTS
from tests.infra.conftest import Assembly
from tests.speed.slow import TIME_OUTS
from tests.world import SAMPLES, sample

ACCOUNT = SAMPLES["OrderCreated"]["account"]
CONSUMES = {service: c.detail_type for c in CONTRACTS for service in c.consumers}
PUBLISHES = {
    service: [c.detail_type for c in CONTRACTS if c.producer == service] for service in SERVICES
}

NO_SERVICE = {PLATFORM: 0, MONITORING: 0}


def test_four_rules_lead_to_four_services_http_to_the_fifth_and_a_schedule_to_the_sweep(
    assembly: Assembly,
) -> None:
    rules = {
        stack: len(assembly.resources(stack, "AWS::Events::Rule")) for stack in assembly.stacks
    }
    functions = {
        stack: len(assembly.resources(stack, "AWS::Lambda::Function")) for stack in assembly.stacks
    }
    routes = assembly.resources(stack_name("create_order"), "AWS::ApiGatewayV2::Route")

    assert rules == {stack_name(s): int(s in CONSUMES) for s in SERVICES} | NO_SERVICE
    assert functions == {stack_name(s): 1 for s in SERVICES} | NO_SERVICE
    schedule = assembly.resource(stack_name("resume_orders"), "AWS::Scheduler::Schedule")

    assert {route["RouteKey"] for route in routes} == {"ANY /orders", "ANY /orders/{orderId}"}
    assert schedule["ScheduleExpression"] == "rate(1 minute)"


@pytest.mark.parametrize("service", CONSUMES)
def test_a_rule_matches_the_one_event_that_its_service_consumes(
    assembly: Assembly, service: str
) -> None:
    pattern = _pattern(assembly, service)

    assert [name for name in SAMPLES if _matches(pattern, sample(name))] == [CONSUMES[service]]


@pytest.mark.parametrize("service", CONSUMES)
@pytest.mark.parametrize("field", ["account", "source", "detail-type"])
def test_a_rule_does_not_match_what_another_account_source_or_type_publishes(
    assembly: Assembly, service: str, field: str
) -> None:
    pattern = _pattern(assembly, service)
    foreign = {**sample(CONSUMES[service]), field: "another"}

    assert not _matches(pattern, foreign)


@pytest.mark.parametrize("service", SERVICES)
def test_a_function_has_its_memory_and_its_time_out(assembly: Assembly, service: str) -> None:
    function = assembly.resource(stack_name(service), "AWS::Lambda::Function")

    # The sweep publishes the events of up to five hundred orders in a run.
    assert function["MemorySize"] == 512
    assert function["Timeout"] == TIME_OUTS[service]


@pytest.mark.parametrize("service", CONSUMES)
def test_what_cannot_be_delivered_or_fails_goes_to_the_services_own_queue(
    assembly: Assembly, service: str
) -> None:
    stack = stack_name(service)
    [target] = assembly.resource(stack, "AWS::Events::Rule")["Targets"]
    asynchronous = assembly.resource(stack, "AWS::Lambda::EventInvokeConfig")
    [queue] = [
        name
        for name, resource in assembly.template(stack)["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue"
    ]

    arn = {"Fn::GetAtt": [queue, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": arn}
    assert target["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 86400,
        "MaximumRetryAttempts": 185,
    }
    assert asynchronous["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    assert asynchronous["MaximumRetryAttempts"] == 2


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_what_it_does_and_no_more(assembly: Assembly, service: str) -> None:
    statements = assembly.grants(service)
    allowed = {
        (action, _arn_end(resource))
        for statement in statements
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    }

    expected = {("logs:CreateLogStream", "Log"), ("logs:PutLogEvents", "Log")}
    for table, actions in GRANTS[service].tables.items():
        expected |= {(f"dynamodb:{action}", f"table/order-saga-{table}") for action in actions}
    if GRANTS[service].publishes or GRANTS[service].republishes:
        expected |= {("events:PutEvents", "event-bus/order-saga")}
    if service in CONSUMES:
        expected |= {
            (f"sqs:{action}", "Failures")
            for action in ("SendMessage", "GetQueueAttributes", "GetQueueUrl")
        }
    assert allowed == expected
    assert all(statement["Effect"] == "Allow" for statement in statements)


@pytest.mark.parametrize("service", CONSUMES)
def test_every_place_where_an_event_can_be_lost_has_an_alarm(
    assembly: Assembly, service: str
) -> None:
    watched = _watched(assembly, service)

    assert watched == {
        "Errors": 3,
        "Throttles": 1,
        "ApproximateNumberOfMessagesVisible": 1,
        "FailedInvocations": 1,
        "InvocationsFailedToBeSentToDlq": 1,
        "AsyncEventsDropped": 1,
        "DestinationDeliveryFailures": 1,
    }


def test_orders_that_are_stored_and_not_published_have_an_alarm(assembly: Assembly) -> None:
    assert _watched(assembly, "create_order")["unpublishedOrders"] == 1


def test_orders_that_do_not_end_have_alarms(assembly: Assembly) -> None:
    alarms = assembly.resources(stack_name("resume_orders"), "AWS::CloudWatch::Alarm")
    [no_run] = [alarm for alarm in alarms if alarm["AlarmName"].endswith("no-run")]

    assert _watched(assembly, "resume_orders") == {
        "Errors": 3,
        "Throttles": 1,
        "oldestOverdueSeconds": 900,
        "givenUpOrders": 1,
        "failedOrders": 1,
        "Invocations": 1,
    }
    assert no_run["ComparisonOperator"] == "LessThanThreshold"
    assert no_run["TreatMissingData"] == "breaching"


def test_a_sweep_that_measures_nothing_for_five_minutes_wakes_a_person(
    assembly: Assembly,
) -> None:
    alarms = assembly.resources(stack_name("resume_orders"), "AWS::CloudWatch::Alarm")
    of_the_sweep = [alarm for alarm in alarms if alarm["Namespace"] == "OrderSaga"]

    assert {alarm["MetricName"] for alarm in of_the_sweep} == {
        "oldestOverdueSeconds",
        "givenUpOrders",
        "failedOrders",
    }
    assert {(alarm["TreatMissingData"], alarm["Period"]) for alarm in of_the_sweep} == {
        ("breaching", 300)
    }


def test_alarms_go_to_the_topic_that_is_named(tmp_path: Path) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:pager"

    build_app(App(outdir=str(tmp_path)), Deployment(alarms_topic=topic)).synth()

    loud = Assembly(tmp_path)
    alarms = [
        alarm
        for service in SERVICES
        for alarm in loud.resources(stack_name(service), "AWS::CloudWatch::Alarm")
    ]
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}


def test_the_runbook_has_every_alarm(assembly: Assembly) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()

    alarms = {
        alarm["AlarmName"].removeprefix(f"{stack}-")
        for stack in assembly.stacks
        for alarm in assembly.resources(stack, "AWS::CloudWatch::Alarm")
    }

    assert len(alarms) >= 11
    assert [alarm for alarm in sorted(alarms) if f"`{alarm}`" not in runbook] == []


def test_the_dashboard_has_every_service_and_none_of_a_deployment_whose_name_begins_alike(
    assembly: Assembly,
) -> None:
    dashboard = json.dumps(assembly.resource(MONITORING, "AWS::CloudWatch::Dashboard"))

    for service in SERVICES:
        assert f"{stack_name(service)}" in dashboard
        assert f'function=\\\\\\"{stack_name(service)}\\\\\\"' in dashboard
    assert [queue for queue in CONSUMES if f"{stack_name(queue)}-failures" not in dashboard] == []
    assert "leftOrders" in dashboard


def test_saved_queries_look_at_every_service(assembly: Assembly) -> None:
    queries = assembly.resources(MONITORING, "AWS::Logs::QueryDefinition")

    groups = {f"/saga/{stack_name(service)}" for service in SERVICES}
    assert {query["Name"] for query in queries} >= {
        "order-saga/one order",
        "order-saga/orders by outcome",
    }
    assert all(set(query["LogGroupNames"]) == groups for query in queries)


def test_tables_and_failure_queues_outlive_their_stack_unless_they_could_not_be_created(
    assembly: Assembly,
) -> None:
    kept = {
        (stack, name): (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for stack in assembly.stacks
        for name, resource in assembly.template(stack)["Resources"].items()
        if resource["Type"] in ("AWS::DynamoDB::GlobalTable", "AWS::SQS::Queue")
    }

    assert len(kept) == 2 + len(CONSUMES)
    assert set(kept.values()) == {("RetainExceptOnCreate", "Retain")}


def test_a_table_is_protected_and_nothing_that_can_fail_comes_after_both(
    assembly: Assembly,
) -> None:
    resources = assembly.template(PLATFORM)["Resources"]
    tables = {
        resource["Properties"]["TableName"]: resource
        for resource in resources.values()
        if resource["Type"] == "AWS::DynamoDB::GlobalTable"
    }
    comes_after = {
        name: [resources[other]["Type"] for other in table.get("DependsOn", [])]
        for name, table in tables.items()
    }

    assert all(
        table["Properties"]["Replicas"][0]["DeletionProtectionEnabled"] for table in tables.values()
    )
    assert comes_after == {
        "order-saga-inventory": ["AWS::Events::EventBus"],
        "order-saga-orders": ["AWS::DynamoDB::GlobalTable"],
    }
    assert len(resources) == 3 + ("CDKMetadata" in resources)


def test_the_access_log_has_the_method_and_lies_where_api_gateway_may_always_write(
    assembly: Assembly,
) -> None:
    stage = assembly.resource(stack_name("create_order"), "AWS::ApiGatewayV2::Stage")
    groups = assembly.resources(stack_name("create_order"), "AWS::Logs::LogGroup")

    log = json.loads(stage["AccessLogSettings"]["Format"])
    assert log["method"] == "$context.httpMethod"
    assert "/aws/vendedlogs/order-saga-api" in [group["LogGroupName"] for group in groups]


def test_only_schedules_of_its_own_account_may_start_the_sweep(assembly: Assembly) -> None:
    roles = assembly.resources(stack_name("resume_orders"), "AWS::IAM::Role")
    trusts = [role["AssumeRolePolicyDocument"]["Statement"][0] for role in roles]

    [trust] = [one for one in trusts if one["Principal"] == {"Service": "scheduler.amazonaws.com"}]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_index_of_open_orders_is_not_written_by_steps_on_the_way(assembly: Assembly) -> None:
    tables = assembly.resources(PLATFORM, "AWS::DynamoDB::GlobalTable")
    indexes = [index for table in tables for index in table.get("GlobalSecondaryIndexes", [])]
    [index] = [index for index in indexes if index["IndexName"] == "open"]

    assert index["KeySchema"] == [
        {"AttributeName": "openShard", "KeyType": "HASH"},
        {"AttributeName": "createdAt", "KeyType": "RANGE"},
    ]
    assert index["Projection"] == {
        "NonKeyAttributes": ["nextAttemptAt"],
        "ProjectionType": "INCLUDE",
    }


def test_the_index_of_deferred_orders_has_those_with_a_next_attempt(assembly: Assembly) -> None:
    tables = assembly.resources(PLATFORM, "AWS::DynamoDB::GlobalTable")
    indexes = [index for table in tables for index in table.get("GlobalSecondaryIndexes", [])]
    [index] = [index for index in indexes if index["IndexName"] == "deferred"]

    assert index["KeySchema"] == [
        {"AttributeName": "openShard", "KeyType": "HASH"},
        {"AttributeName": "nextAttemptAt", "KeyType": "RANGE"},
    ]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_function_is_a_container_image_with_a_log_that_is_kept_a_month(
    assembly: Assembly, service: str
) -> None:
    stack = stack_name(service)
    function = assembly.resource(stack, "AWS::Lambda::Function")
    logs = assembly.resources(stack, "AWS::Logs::LogGroup")

    assert function["PackageType"] == "Image"
    assert function["Architectures"] == [architecture()]
    assert [log["RetentionInDays"] for log in logs] == [30] * len(logs)


@pytest.mark.parametrize("service", SERVICES)
def test_a_function_gets_every_setting_that_its_handler_reads(
    assembly: Assembly, service: str, world: Any
) -> None:
    function = assembly.resource(stack_name(service), "AWS::Lambda::Function")

    settings = world.handler(service).Settings

    given = set(function["Environment"]["Variables"])
    set_by_lambda = {"AWS_LAMBDA_FUNCTION_NAME"}
    assert given | set_by_lambda >= {field.upper() for field in settings.__struct_fields__}
    assert given <= {field.upper() for field in settings.__struct_fields__}


def test_stacks_lean_on_no_other_stack(assembly: Assembly) -> None:
    texts = {stack: json.dumps(assembly.template(stack)) for stack in assembly.stacks}
    artifacts = assembly.manifest["artifacts"]
    needed = {stack: artifacts[stack].get("dependencies", []) for stack in assembly.stacks}

    assert [stack for stack, text in texts.items() if "ImportValue" in text] == []
    assert [stack for stack, text in texts.items() if '"Export"' in text] == []
    assert needed == {stack: [f"{stack}.assets"] for stack in assembly.stacks}


def test_synthesis_asks_nothing_of_any_account(assembly: Assembly) -> None:
    manifest = assembly.manifest
    environments = {manifest["artifacts"][stack]["environment"] for stack in assembly.stacks}

    assert "missing" not in manifest
    assert environments == {"aws://unknown-account/unknown-region"}


def test_platform_and_architecture_change_together(tmp_path: Path) -> None:
    build_app(App(outdir=str(tmp_path)), Deployment(architecture="arm64")).synth()
    arm = Assembly(tmp_path)

    for service in SERVICES:
        stack = stack_name(service)
        [image] = json.loads((tmp_path / f"{stack}.assets.json").read_text())[
            "dockerImages"
        ].values()
        assert arm.resource(stack, "AWS::Lambda::Function")["Architectures"] == ["arm64"]
        assert image["source"]["platform"] == "linux/arm64"


def test_a_deployment_can_have_names_of_its_own(tmp_path: Path) -> None:
    build_app(App(outdir=str(tmp_path)), Deployment(prefix="blue")).synth()

    names = {path.name for path in tmp_path.glob("*.template.json")}
    assert names == {
        f"{'blue' + stack.removeprefix('order-saga')}.template.json"
        for stack in [PLATFORM, MONITORING, *map(stack_name, SERVICES)]
    }
    assert "order-saga" not in "".join(
        json.dumps(json.loads((tmp_path / name).read_text())["Resources"]) for name in names
    )


def test_cdk_nag_finds_nothing_that_is_not_acknowledged(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    build_app(app, Deployment()).synth()

    assert _findings(tmp_path) == []


def test_cdk_nag_would_find_a_careless_queue(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    sqs.Queue(Stack(app, "Careless"), "Queue")

    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        app.synth()


def _findings(folder: Path) -> list[str]:
    report = json.loads((folder / "validation-report.json").read_text())
    return [
        violation["ruleName"]
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
    ]


def _pattern(assembly: Assembly, service: str) -> dict[str, list[Any]]:
    pattern: dict[str, list[Any]] = assembly.resource(stack_name(service), "AWS::Events::Rule")[
        "EventPattern"
    ]
    assert pattern.pop("account") == [{"Ref": "AWS::AccountId"}]
    return {**pattern, "account": [ACCOUNT]}


def _matches(pattern: dict[str, list[Any]], event: dict[str, Any]) -> bool:
    """Match as EventBridge does for the patterns used here: each field is one of the values."""
    return all(event.get(field) in values for field, values in pattern.items())


def _watched(assembly: Assembly, service: str) -> dict[str, float]:
    """Return the metrics that have an alarm, and from what value up."""
    alarms = assembly.resources(stack_name(service), "AWS::CloudWatch::Alarm")
    return {alarm["MetricName"]: alarm["Threshold"] for alarm in alarms if "MetricName" in alarm}


def _listed(one_or_more: Any) -> list[Any]:
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]


def _arn_end(resource: Any) -> str:
    """Return what an ARN ends in, or the kind of the resource in the stack that it is of."""
    match resource:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return name[:-8]
        case {"Fn::Join": ["", [*_, str(end)]]}:
            return end.removeprefix(":")
    raise NotImplementedError(resource)

"""What the templates of a small shop grant, and what its handlers call."""

import copy
from typing import Any

import pytest

from explorer.calls import Call, UnknownCallError
from explorer.grants import differences, grants, needed

NAMES = {
    "function:shop-charge": "charge",
    "table/shop-orders": "orders",
    "table/shop-orders/index/open": "orders/index/open",
    "table/Stock": "stock",
    "event-bus/shop": "bus",
    "parcels": "parcels",
}
PLATFORM = {
    "Resources": {
        "Orders": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {"TableName": "shop-orders"},
        },
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "shop"}},
    },
    "Outputs": {
        "Bus": {"Value": {"Fn::GetAtt": ["Bus", "Arn"]}, "Export": {"Name": "shop-bus-arn"}},
        "Unshared": {"Value": "any"},
    },
}
ORDERS_ARN = {
    "Fn::Join": [
        "",
        ["arn:", {"Ref": "AWS::Partition"}, ":dynamodb:us-east-1:123456789012:table/shop-orders"],
    ]
}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return allow(action, resource, **more) | {"Effect": "Deny"}


def a_policy(*statements: Any, kind: str = "AWS::IAM::Policy", **attached: Any) -> dict[str, Any]:
    document = {"PolicyDocument": {"Statement": list(statements)}}
    return {"Type": kind, "Properties": document | (attached or {"Roles": [{"Ref": "Role"}]})}


def a_stack(*statements: Any, role: Any = None, **resources: Any) -> dict[str, Any]:
    """Return a template of the function `charge`, with these statements in its policy."""
    return {
        "Parameters": {"Queue": {"Type": "String", "Default": "parcels"}},
        "Resources": {
            "Charge": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "shop-charge",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Role": {"Type": "AWS::IAM::Role", "Properties": role or {}},
            "Stock": {"Type": "AWS::DynamoDB::Table", "Properties": {}},
            **({"Policy": a_policy(*statements)} if statements else {}),
            **resources,
        },
    }


def of_charge(*stacks: Any) -> set[tuple[str, str]]:
    return grants([PLATFORM, *stacks], NAMES)["charge"]


RESOURCES: dict[str, tuple[Any, str]] = {
    "a text": ("arn:aws:dynamodb:us-east-1:123456789012:table/shop-orders", "orders"),
    "a join": (ORDERS_ARN, "orders"),
    "an attribute": ({"Fn::GetAtt": ["Stock", "Arn"]}, "stock"),
    "an attribute in a text": ({"Fn::Sub": "${Stock.Arn}"}, "stock"),
    "a substitution": (
        {"Fn::Sub": ["arn:${AWS::Partition}:dynamodb:*:*:table/${T}", {"T": {"Ref": "Stock"}}]},
        "stock",
    ),
    "places left open": ("arn:aws:dynamodb:*:*:table/shop-ord?rs", "orders"),
    "a table that is not explored": ("arn:aws:dynamodb:r:a:table/other", "table/other"),
}


@pytest.mark.parametrize(("resource", "name"), RESOURCES.values(), ids=RESOURCES)
def test_a_resource_is_read_from_whatever_a_template_writes(resource: Any, name: str) -> None:
    stack = a_stack(allow("dynamodb:GetItem", resource))

    assert of_charge(stack) == {("dynamodb:GetItem", name)}


def test_a_bus_of_another_stack_and_a_queue_of_a_parameter_are_read_as_well() -> None:
    stack = a_stack(
        allow("events:PutEvents", {"Fn::ImportValue": "shop-bus-arn"}),
        allow("sqs:SendMessage", {"Fn::Sub": "arn:aws:sqs:r:${AWS::AccountId}:${Queue}"}),
    )

    assert of_charge(stack) == {("events:PutEvents", "bus"), ("sqs:SendMessage", "parcels")}


GET, TABLE = allow("dynamodb:GetItem", ORDERS_ARN), "AWS::IAM::ManagedPolicy"
ATTACHED: dict[str, dict[str, Any]] = {
    "of its own": a_stack(GET),
    "in its role": a_stack(role={"Policies": [{"PolicyDocument": {"Statement": GET}}]}),
    "of a resource that names its role": a_stack(
        Inline=a_policy(GET, kind="AWS::IAM::RolePolicy", RoleName={"Ref": "Role"})
    ),
    "managed, and naming its role": a_stack(Managed=a_policy(GET, kind=TABLE)),
    "managed, and named by its role": a_stack(
        role={"ManagedPolicyArns": [{"Ref": "Managed"}]},
        Managed=a_policy(GET, kind=TABLE, Roles=[]),
    ),
    "beside one of AWS that is known": a_stack(
        GET,
        role={
            "ManagedPolicyArns": [
                "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
            ]
        },
    ),
    "beside that of another role": a_stack(
        GET,
        Other={"Type": "AWS::IAM::Role", "Properties": {}},
        Others=a_policy(allow("dynamodb:PutItem", ORDERS_ARN), Roles=[{"Ref": "Other"}]),
    ),
}


@pytest.mark.parametrize("stack", ATTACHED.values(), ids=ATTACHED)
def test_a_policy_counts_however_it_is_attached_to_the_role(stack: dict[str, Any]) -> None:
    assert of_charge(stack) == {("dynamodb:GetItem", "orders")}


def test_roles_of_two_stacks_are_two_though_their_logical_ids_are_one() -> None:
    other = copy.deepcopy(a_stack(allow("dynamodb:PutItem", ORDERS_ARN)))
    other["Resources"]["Charge"]["Properties"]["FunctionName"] = "shop-ship"

    granted = grants([a_stack(GET), other], NAMES)

    assert granted == {
        "charge": {("dynamodb:GetItem", "orders")},
        "shop-ship": {("dynamodb:PutItem", "orders")},
    }


def test_wildcards_stand_for_every_action_and_resource_that_they_cover() -> None:
    table = {"Fn::Join": ["", [ORDERS_ARN, "*"]]}

    assert of_charge(a_stack(allow(["dynamodb:Get*", "dynamodb:query"], table))) == {
        ("dynamodb:GetItem", "orders"),
        ("dynamodb:Query", "orders"),
        ("dynamodb:Query", "orders/index/open"),
    }
    assert of_charge(a_stack(allow(["*:PutEvents", "sqs:Send*"], "*"))) == {
        ("events:PutEvents", "bus"),
        ("sqs:SendMessage", "parcels"),
    }
    assert grants([a_stack(allow("sqs:*", "*"))], {})["shop-charge"] == {("sqs:SendMessage", "*")}


def test_actions_that_no_exploration_knows_are_named_as_they_are_written() -> None:
    stack = a_stack(allow(["dynamodb:Describe*", "dynamodb:UpdateTable"], ORDERS_ARN))

    assert of_charge(stack) == {
        ("dynamodb:Describe*", "orders"),
        ("dynamodb:UpdateTable", "orders"),
    }


def test_what_is_denied_is_not_granted_but_a_condition_is_not_read() -> None:
    stack = a_stack(
        allow(["dynamodb:PutItem", "dynamodb:GetItem"], ORDERS_ARN, Condition={"Bool": {}}),
        deny("dynamodb:PutItem", "*"),
        deny("dynamodb:GetItem", "*", Condition={"Bool": {}}),
    )

    assert of_charge(stack) == {("dynamodb:GetItem", "orders")}


def test_what_no_handler_calls_is_no_grant() -> None:
    stack = a_stack(
        allow(["logs:PutLogEvents", "xray:PutTraceSegments"], "*"),
        allow(["sqs:Receive*", "sqs:DeleteMessage"], "arn:aws:sqs:r:a:parcels"),
        allow("dynamodb:PutItem", "arn:aws:dynamodb:r:a:table/shop-orders/index/open"),
    )

    assert of_charge(stack) == set()


def test_what_lambda_sends_to_a_failure_queue_is_no_call_of_the_handler() -> None:
    queues = {
        name: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
        for name in ("failures", "dead", "parcels")
    }
    stack = a_stack(
        *(allow("sqs:SendMessage", {"Fn::GetAtt": [name, "Arn"]}) for name in queues),
        **queues,
        Config={
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Charge"},
                "DestinationConfig": {
                    "OnFailure": {"Destination": {"Fn::GetAtt": "failures.Arn"}},
                    "OnSuccess": {"Destination": {"Fn::ImportValue": "shop-bus-arn"}},
                },
            },
        },
    )
    stack["Resources"]["Charge"]["Properties"]["DeadLetterConfig"] = {
        "TargetArn": {"Fn::GetAtt": ["dead", "Arn"]}
    }

    assert of_charge(stack) == {("sqs:SendMessage", "parcels")}


SAM = {"Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {}}}}
UNREADABLE: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a role elsewhere": (
        [{"Resources": {**a_stack()["Resources"], "Role": {"Type": "Other"}}}],
        "role of shop-charge",
    ),
    "a policy of AWS": (
        [a_stack(role={"ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]})],
        "AdministratorAccess",
    ),
    "all but an action": ([a_stack({"Effect": "Allow", "NotAction": "a:b"})], "NotAction"),
    "a function of CloudFormation": ([a_stack(allow("a:b", {"Fn::If": []}))], "Fn::If"),
    "an unknown export": ([a_stack(allow("a:b", {"Fn::ImportValue": "x"}))], "exports x"),
    "a template of SAM": ([SAM], "SAM"),
    "two functions of one name": ([a_stack(GET), a_stack(GET)], "shop-charge"),
}


@pytest.mark.parametrize(("stacks", "named"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_by_its_name(
    stacks: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        grants(stacks, NAMES)


ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
WRITES = [{"Update": {"TableName": "orders"}}, {"Put": {"TableName": "orders"}}]
WRITES += [{"Delete": {"TableName": "stock"}}, {"ConditionCheck": {"TableName": "stock"}}]
CALLS: dict[str, tuple[Call, set[tuple[str, str]]]] = {
    "GetItem": (
        Call("dynamodb", "GetItem", {"TableName": "orders"}),
        {("dynamodb:GetItem", "orders")},
    ),
    "PutItem by an ARN": (
        Call("dynamodb", "PutItem", {"TableName": ARN}),
        {("dynamodb:PutItem", "orders")},
    ),
    "Query of a table": (
        Call("dynamodb", "Query", {"TableName": "orders"}),
        {("dynamodb:Query", "orders")},
    ),
    "Query of an index": (
        Call("dynamodb", "Query", {"TableName": "orders", "IndexName": "open"}),
        {("dynamodb:Query", "orders/index/open")},
    ),
    "BatchGetItem": (
        Call("dynamodb", "BatchGetItem", {"RequestItems": {"orders": {}, "stock": {}}}),
        {("dynamodb:BatchGetItem", "orders"), ("dynamodb:BatchGetItem", "stock")},
    ),
    "TransactWriteItems": (
        Call("dynamodb", "TransactWriteItems", {"TransactItems": WRITES}),
        {
            ("dynamodb:UpdateItem", "orders"),
            ("dynamodb:PutItem", "orders"),
            ("dynamodb:DeleteItem", "stock"),
            ("dynamodb:ConditionCheckItem", "stock"),
        },
    ),
    "TransactGetItems": (
        Call("dynamodb", "TransactGetItems", {"TransactItems": [{"Get": {"TableName": "orders"}}]}),
        {("dynamodb:GetItem", "orders")},
    ),
    "PutEvents": (
        Call("events", "PutEvents", {"Entries": [{"EventBusName": "bus"}, {}]}),
        {("events:PutEvents", "bus"), ("events:PutEvents", "default")},
    ),
    "SendMessageBatch": (
        Call("sqs", "SendMessageBatch", {"QueueUrl": "https://sqs/1/parcels"}),
        {("sqs:SendMessage", "parcels")},
    ),
}


@pytest.mark.parametrize(("call", "grant"), CALLS.values(), ids=CALLS)
def test_a_call_needs_the_grants_that_the_documentation_names(
    call: Call, grant: set[tuple[str, str]]
) -> None:
    assert needed(call) == grant


def test_a_call_whose_grant_is_not_known_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownCallError, match="Invoke of lambda"):
        needed(Call("lambda", "Invoke", {}))


def test_each_difference_between_calls_and_grants_is_a_sentence() -> None:
    granted = {"charge": {("dynamodb:PutItem", "orders"), ("dynamodb:UpdateItem", "orders")}}
    calls = {
        ("charge", "dynamodb:UpdateItem", "orders"),
        ("charge", "dynamodb:GetItem", "orders"),
    }

    assert differences(calls, granted) == [
        "charge calls dynamodb:GetItem on orders, which its template does not grant",
        "charge may dynamodb:PutItem on orders, and no exploration saw it",
    ]
    assert differences(calls, {"charge": {grant[1:] for grant in calls}}) == []

"""The templates of every combination of settings: each setting does what it says, and no more."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from harness.saga import SERVICES
from infra.deployment import Deployment
from infra.lint import combinations, synthesize

COMBINATIONS = list(combinations())
DEFAULT = COMBINATIONS[0]
PREFIXES = {deployment.prefix for deployment in COMBINATIONS}
PLATFORMS = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}

# What names a resource, and the longest name. cfn-lint does not know those of queues, tables,
# dashboards and APIs: they are from the references of CreateQueue, CreateTable and so on.
NAMED = {
    "AWS::Lambda::Function": ("FunctionName", 64),
    "AWS::Events::EventBus": ("Name", 256),
    "AWS::Events::Rule": ("Name", 64),
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::DynamoDB::GlobalTable": ("TableName", 255),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Logs::QueryDefinition": ("Name", 255),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::ApiGatewayV2::Api": ("Name", 128),
    "AWS::Scheduler::Schedule": ("Name", 64),
}
# CloudFormation names them, or they are parts of another.
NAMELESS = {
    *("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::SQS::QueuePolicy"),
    *("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"),
    *(f"AWS::ApiGatewayV2::{part}" for part in ("Integration", "Route", "Stage", "Authorizer")),
}
# What settings are there to change.
SET = {
    "AWS::Lambda::Function": {"Architectures", "Code", "ReservedConcurrentExecutions"},
    "AWS::CloudWatch::Alarm": {"AlarmActions"},
    "AWS::ApiGatewayV2::Route": {"AuthorizationType", "AuthorizerId"},
    "AWS::ApiGatewayV2::Stage": {"DefaultRouteSettings"},
}


@dataclass(frozen=True)
class Combination:
    """A deployment and its templates, by the names of its stacks without the prefix."""

    deployment: Deployment
    folder: Path
    templates: dict[str, dict[str, Any]]

    def resources(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Return stack, kind and properties of all resources."""
        for stack, template in self.templates.items():
            for resource in template["Resources"].values():
                yield stack, resource["Type"], resource.get("Properties", {})

    def of_kind(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """Return stack and properties of all resources of one kind."""
        return [
            (stack, properties) for stack, found, properties in self.resources() if found == kind
        ]

    def manifest(self) -> Any:
        return json.loads((self.folder / "manifest.json").read_text())

    def images(self, stack: str) -> list[Any]:
        """Return the image assets of a stack."""
        assets = self.folder / f"{self.deployment.prefix}-{stack}.assets.json"
        return [*json.loads(assets.read_text())["dockerImages"].values()]


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Combination]:
    @cache
    def synthesized(number: int) -> Combination:
        folder = tmp_path_factory.mktemp("combination")
        stacks = synthesize(COMBINATIONS[number], folder)
        templates = {stack.name: json.loads(stack.template) for stack in stacks}
        return Combination(COMBINATIONS[number], folder, templates)

    return synthesized


@pytest.fixture(scope="module", params=range(len(COMBINATIONS)))
def one(request: pytest.FixtureRequest, synthesized: Callable[[int], Combination]) -> Combination:
    return synthesized(request.param)


def test_every_value_of_every_setting_occurs_beside_every_other() -> None:
    seen = {
        (d.prefix, d.architecture, bool(d.alarms_topic), bool(d.reserved_concurrency), d.authorizer)
        for d in COMBINATIONS
    }
    unlike_default = {
        field
        for field in Deployment.__struct_fields__
        if any(getattr(d, field) != getattr(DEFAULT, field) for d in COMBINATIONS)
    }

    assert len(seen) == 2**5
    assert unlike_default == {*Deployment.__struct_fields__}
    assert Deployment() == DEFAULT


def test_every_function_and_its_image_have_the_architecture(one: Combination) -> None:
    functions = one.of_kind("AWS::Lambda::Function")

    assert len(functions) == len(SERVICES)
    for stack, function in functions:
        [image] = one.images(stack)
        [destination] = image["destinations"].values()
        assert function["Architectures"] == [one.deployment.architecture]
        assert function["Code"]["ImageUri"]["Fn::Sub"].endswith(f":{destination['imageTag']}")
        assert image["source"]["platform"] == PLATFORMS[one.deployment.architecture]


def test_every_alarm_notifies_the_topic_if_there_is_one(one: Combination) -> None:
    topic = one.deployment.alarms_topic

    actions = [alarm.get("AlarmActions") for _, alarm in one.of_kind("AWS::CloudWatch::Alarm")]

    assert len(actions) > 30
    assert actions == [[topic] if topic else None] * len(actions)


def test_reserved_concurrency_is_what_is_set_and_none_otherwise(one: Combination) -> None:
    reserved = {
        stack.replace("-", "_"): function["ReservedConcurrentExecutions"]
        for stack, function in one.of_kind("AWS::Lambda::Function")
        if "ReservedConcurrentExecutions" in function
    }

    assert reserved == one.deployment.reserved_concurrency


def test_every_route_asks_the_authorizer_if_there_is_one(one: Combination) -> None:
    wanted = one.deployment.authorizer
    routes = [route for _, route in one.of_kind("AWS::ApiGatewayV2::Route")]
    authorizers = {
        name: resource["Properties"]["JwtConfiguration"]
        for name, resource in one.templates["create-order"]["Resources"].items()
        if resource["Type"] == "AWS::ApiGatewayV2::Authorizer"
    }

    asked = [(route["AuthorizationType"], route.get("AuthorizerId")) for route in routes]

    if wanted is None:
        assert authorizers == {}
        assert asked == [("NONE", None)] * 2
    else:
        [(name, jwt)] = authorizers.items()
        assert jwt == {"Audience": list(wanted.audience), "Issuer": wanted.issuer}
        assert asked == [("JWT", {"Ref": name})] * 2


def test_the_api_takes_what_is_set(one: Combination) -> None:
    [(_, stage)] = one.of_kind("AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": one.deployment.requests_per_second,
        "ThrottlingBurstLimit": one.deployment.burst,
    }


def test_all_stacks_are_for_the_account_and_the_region_if_they_are_set(one: Combination) -> None:
    artifacts = one.manifest()["artifacts"].values()

    places = {artifact["environment"] for artifact in artifacts if "environment" in artifact}

    account, region = one.deployment.account, one.deployment.region
    assert places == {f"aws://{account or 'unknown-account'}/{region or 'unknown-region'}"}


def test_all_names_begin_with_the_prefix_and_are_short_enough(one: Combination) -> None:
    own = re.compile(rf"(/saga/|/aws/vendedlogs/)?{one.deployment.prefix}([-/].+)?")

    for _, kind, properties in one.resources():
        if kind not in NAMELESS:
            key, longest = NAMED[kind]
            assert own.fullmatch(properties[key])
            assert len(properties[key]) <= longest
    assert max(len(f"{one.deployment.prefix}-{stack}") for stack in one.templates) <= 128


def test_nothing_of_another_deployment_occurs(one: Combination) -> None:
    [other] = PREFIXES - {one.deployment.prefix}

    texts = json.dumps([one.templates, [one.images(stack) for stack in one.templates]])

    assert one.deployment.prefix in texts
    assert other not in texts
    assert other.replace("-", "") not in texts


def test_nothing_else_differs(one: Combination, synthesized: Callable[[int], Combination]) -> None:
    assert _without_settings(one) == _without_settings(synthesized(0))


def _without_settings(one: Combination) -> Any:
    """Return the templates without what is set, and with PREFIX for the prefix."""
    templates = {
        stack: template
        | {
            "Resources": {
                name: resource
                | {
                    "Properties": {
                        key: value
                        for key, value in resource.get("Properties", {}).items()
                        if key not in SET.get(resource["Type"], ())
                    }
                }
                for name, resource in template["Resources"].items()
                if resource["Type"] != "AWS::ApiGatewayV2::Authorizer"
            }
        }
        for stack, template in one.templates.items()
    }
    text = json.dumps(_resolved(templates)).replace(one.deployment.prefix, "PREFIX")
    # In logical ids it is without hyphens, and is in the digest as well.
    flat = one.deployment.prefix.replace("-", "")
    return json.loads(re.sub(rf"{flat}(\w*?)([0-9A-F]{{8}})*\b", r"PREFIX\1", text))


def _resolved(value: Any) -> Any:
    """Put in the account and the region, so that it is the same whether they are set or not."""
    match value:
        case {"Ref": "AWS::AccountId"}:
            return "111122223333"
        case {"Ref": "AWS::Region"}:
            return "eu-central-1"
        case {"Fn::Join": ["", [*parts]]}:
            resolved = map(_resolved, parts)
            return [
                "".join(group) if of_text else [*group]
                for of_text, group in groupby(resolved, lambda part: isinstance(part, str))
            ]
        case dict():
            return {key: _resolved(one) for key, one in value.items()}
        case list():
            return [_resolved(one) for one in value]
    return value

"""The role that deploys from GitHub: whom it trusts, and what it may do."""

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from harness.emulator import ROOT
from tests.workflows.job import workflow


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms, as !Ref, as pairs of their name and what they are of."""


def _short_form(loader: Any, name: str, node: Any) -> tuple[str, Any]:
    of = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    return name, of[type(node)](node)


_Loader.add_multi_constructor("!", _short_form)
TEMPLATE = yaml.load((ROOT / "infra" / "github-role.yaml").read_text(), _Loader)
ROLE = TEMPLATE["Resources"]["Role"]["Properties"]


def test_it_trusts_one_name_of_github_exactly_and_for_aws_alone() -> None:
    [statement] = ROLE["AssumeRolePolicyDocument"]["Statement"]

    assert statement == {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {
            "Federated": ("If", ["MakeProvider", ("Ref", "GitHub"), ("Ref", "Provider")])
        },
        "Condition": {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": ("Ref", "Subject"),
            }
        },
    }
    assert TEMPLATE["Resources"]["GitHub"]["Properties"] == {
        "Url": "https://token.actions.githubusercontent.com",
        "ClientIdList": ["sts.amazonaws.com"],
    }


def test_that_name_is_of_one_repository_and_one_environment() -> None:
    pattern = re.compile(TEMPLATE["Parameters"]["Subject"]["AllowedPattern"])
    environment = workflow("deploy")["jobs"]["deploy"]["environment"]

    allowed = [
        f"repo:octocat@1/shop@2:environment:{environment}",
        f"repo:octocat/shop:environment:{environment}",
    ]
    refused = [
        "",
        "*",
        "repo:*",
        "repo:octocat/*:environment:production",
        "repo:octocat/shop:*",
        "repo:octocat/shop:ref:refs/heads/main",
        "repo:octocat/shop:pull_request",
        "repo:octocat/shop:environment:*",
        "octocat/shop",
    ]

    assert [name for name in allowed + refused if pattern.fullmatch(name)] == allowed


def test_it_may_only_become_the_roles_of_the_bootstrap_and_see_the_stacks() -> None:
    [policy] = ROLE["Policies"]
    roles = [
        f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/cdk-hnb659fds-{what}-role-"
        "${AWS::AccountId}-${AWS::Region}"
        for what in ("deploy", "file-publishing", "image-publishing", "lookup")
    ]

    assert "ManagedPolicyArns" not in ROLE
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": [("Sub", role) for role in roles],
        },
        {
            "Effect": "Allow",
            "Action": ["cloudformation:DescribeStacks", "cloudformation:ListStacks"],
            "Resource": "*",
        },
    ]

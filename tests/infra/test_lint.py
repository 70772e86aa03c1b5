"""The linters of the templates: what they find has to be mended or acknowledged, beside it."""

from pathlib import Path

import pytest
from aws_cdk import Acknowledgment, App, Stack, Validations
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from infra.lint import TOOLS, Acknowledged, Finding, problems, read_stacks, unsettled
from tests.engine import MAY_SKIP

FINDING = Finding("charge-payment", "Failures/Resource", "checkov::CKV_AWS_27", "Encrypt it")

needs_linters = pytest.mark.skipif(
    MAY_SKIP and not TOOLS.exists(), reason="needs the linters: make check installs them."
)


def test_a_finding_that_is_not_acknowledged_is_told_with_its_stack_resource_and_rule() -> None:
    lines = unsettled({FINDING}, set())

    assert lines == ["charge-payment: Failures/Resource: checkov::CKV_AWS_27: Encrypt it"]


@pytest.mark.parametrize("construct", ["Failures/Resource", "Failures", ""])
def test_what_is_acknowledged_covers_a_construct_and_those_in_it(construct: str) -> None:
    acknowledged = Acknowledged("charge-payment", construct, "checkov::CKV_AWS_27")

    lines = unsettled({FINDING}, {acknowledged})

    assert lines == []


@pytest.mark.parametrize(
    "acknowledged",
    [
        Acknowledged("notify-shipping", "Failures", "checkov::CKV_AWS_27"),
        Acknowledged("charge-payment", "Fail", "checkov::CKV_AWS_27"),
        Acknowledged("charge-payment", "Failures", "checkov::CKV_AWS_2"),
    ],
    ids=["of another stack", "of another construct", "of another rule"],
)
def test_what_is_acknowledged_elsewhere_covers_nothing_here_and_is_stale(
    acknowledged: Acknowledged,
) -> None:
    lines = unsettled({FINDING}, {acknowledged})

    assert set(lines) == {
        ": ".join(FINDING),
        f"{': '.join(acknowledged)}: is acknowledged and not found: remove it there.",
    }


def test_what_is_acknowledged_of_another_tool_is_not_looked_at() -> None:
    cdk_nag = Acknowledged("charge-payment", "Failures", "Annotation::AwsSolutions-SQS3")

    assert unsettled(set(), {cdk_nag}) == []


@needs_linters
def test_careless_resources_are_found_whatever_a_person_has_set_for_the_linters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(App(outdir=str(tmp_path / "cdk.out")), "shop-careless")
    kept = sqs.Queue(stack, "Kept")
    Validations.of(kept).acknowledge(
        Acknowledgment(id="checkov::CKV_AWS_27", reason="It holds nothing."),
        Acknowledgment(id="cfn-lint::E3002", reason="Once it had a misspelled property."),
    )
    sqs.Queue(stack, "Queue")
    events.CfnRule(stack, "Rule", name="r" * 65, schedule_expression="rate(1 minute)")
    App.of(stack).synth()  # type: ignore[union-attr]
    (tmp_path / ".cfnlintrc").write_text("ignore_checks: [E, W, I]")
    (tmp_path / ".checkov.yaml").write_text("skip-check: [CKV_AWS_27]")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    found = problems(read_stacks(tmp_path / "cdk.out", "shop"))

    lines = [line for line in found if ": cfn-lint::I" not in line]
    assert [": ".join(line.split(": ")[:3]) for line in lines] == [
        "careless: Kept: cfn-lint::E3002",
        "careless: Queue/Resource: checkov::CKV_AWS_27",
        "careless: Rule: cfn-lint::E3033",
    ]

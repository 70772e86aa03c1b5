"""What holds of every workflow."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.workflows.job import EXPRESSION, WORKFLOWS, workflow

NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.yaml"))
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def _jobs() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in NAMES:
        for job, of in workflow(name)["jobs"].items():
            yield f"{name}/{job}", of


STEPS = [(name, step) for name, job in _jobs() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", NAMES)
def test_an_action_is_pinned_by_its_hash_and_names_its_version(name: str) -> None:
    uses = re.findall(r"uses: (.*)", (WORKFLOWS / f"{name}.yaml").read_text())

    others = [used for used in uses if not PINNED.fullmatch(used)]

    assert others == (["./.github/workflows/deploy.yaml"] if name == "ci" else [])


def test_no_expression_is_part_of_a_script() -> None:
    scripts = [step["run"] for _, step in STEPS if "run" in step]

    assert len(scripts) > 5
    assert [script for script in scripts if EXPRESSION.search(script) or "${{" in script] == []


def test_a_checkout_leaves_no_token_for_what_runs_after_it() -> None:
    checkouts = [step for _, step in STEPS if "checkout" in step.get("uses", "")]

    assert len(checkouts) == 3
    assert {step["with"].get("persist-credentials") for step in checkouts} == {False}


def test_only_the_deployment_may_write_and_have_aws_credentials() -> None:
    top = [workflow(name)["permissions"] for name in NAMES]
    granted = {name: job["permissions"] for name, job in _jobs() if "permissions" in job}

    assert top == [{"contents": "read"}, {}]
    deployment = {"checks": "read", "contents": "write", "id-token": "write"}
    assert granted == {
        "ci/deploy": deployment,
        "deploy/deploy": deployment,
        "deploy/settings": {"contents": "read"},
    }


def test_what_is_deployed_has_passed_ci_on_both_processors() -> None:
    ci = workflow("ci")["jobs"]

    assert ci["deploy"]["needs"] == "test"
    assert ci["test"]["strategy"] == {
        "fail-fast": False,
        "matrix": {"runner": ["ubuntu-24.04", "ubuntu-24.04-arm"]},
    }
    assert ci["test"]["steps"][-1] == {"run": "bash .ci/run"}
    assert set(workflow("deploy")["on"]) == {"workflow_call", "workflow_dispatch"}


def test_deployments_wait_in_one_queue_that_drops_none() -> None:
    job = workflow("deploy")["jobs"]["deploy"]

    assert job["environment"] == "production"
    assert job["concurrency"] == {
        "group": "deploy-${{ inputs.deployment }}",
        "cancel-in-progress": False,
        "queue": "max",
    }

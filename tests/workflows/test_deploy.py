"""The deployment from GitHub: each script of its workflow, run in a scratch repository.

`./saga`, `make` and `gh` are stand-ins, which note what they were called with.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.workflows.job import Job

TAG = "refs/tags/deployed/shop"
CREDENTIALS = "aws-actions/configure-aws-credentials"
SAGA = """#!/bin/sh
echo "$SAGA_PREFIX: $*" >>"$NOTES/calls"
case "$1 $*" in
settings*) cat "$NOTES/settings" ;;
explore*) echo "its story"; exit "$(cat "$NOTES/unsafe")" ;;
deploy*) exit "$(cat "$NOTES/fails")" ;;
esac
"""
GH = '#!/bin/sh\necho "gh $1 $2" >>"$NOTES/calls"\n[ "$1" = auth ] || cat "$NOTES/passed"\n'


class Repository:
    """A clone on a runner, beside its origin, and what the stand-ins say and note."""

    def __init__(self, folder: Path) -> None:
        self.origin = folder / "origin"
        self.clone = folder / "clone"
        self.notes = folder / "notes"
        self.bin = folder / "bin"
        for path in (self.notes, self.bin):
            path.mkdir()
        self._program("gh", GH)
        self._program("make", "#!/bin/sh\n")
        subprocess.run(["git", "init", "-q", "--bare", self.origin], check=True)
        subprocess.run(["git", "clone", "-q", self.origin, self.clone], check=True)
        self._program("../clone/saga", SAGA)
        self.says(settings={"architecture": "x86_64", "account": "", "region": ""})
        self.says(unsafe=0, fails=0, passed=True)
        self.commit("services/create_order/handler.py")

    def says(self, **answers: object) -> None:
        """Let the stand-ins answer this."""
        for name, answer in answers.items():
            (self.notes / name).write_text(json.dumps(answer))

    def commit(self, *paths: str, remove: str = "") -> str:
        """Commit files, and push; return the commit."""
        for path in paths:
            (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
            with (self.clone / path).open("a") as file:
                file.write("more\n")
        if remove:
            self.git("rm", "-rq", remove)
        self.git("add", "--all")
        self.git("commit", "-qm", "A change")
        self.git("push", "-q", "origin", "HEAD")
        return self.git("rev-parse", "HEAD")

    def deployed(self, tag: str = TAG) -> str:
        """Return which commit the origin's tag says is deployed, "" for none."""
        found = self.git("ls-remote", str(self.origin), tag)
        return found.partition("\t")[0]

    def calls(self) -> list[str]:
        """Return what the stand-ins were called with since the last time."""
        noted = self.notes / "calls"
        lines = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return lines

    def git(self, *arguments: str) -> str:
        """Return what git prints."""
        run = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env=self.environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.strip()

    def environ(self) -> dict[str, str]:
        """Return a runner's environment."""
        person = {"NAME": "A", "EMAIL": "a@example.org"}
        who = {
            f"GIT_{role}_{key}": of
            for role in ("AUTHOR", "COMMITTER")
            for key, of in person.items()
        }
        return {
            **who,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "NOTES": str(self.notes),
            "RUNNER_TEMP": str(self.notes),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GITHUB_REPOSITORY": "somebody/shop",
        }

    def job(
        self, name: str = "deploy", event: str = "push", role: str = "arn", **inputs: str
    ) -> Job:
        """Return a job of the workflow, after a checkout of all branches and tags."""
        self.git("fetch", "-q", "--tags", "--force")
        return Job(
            "deploy",
            name,
            self.clone,
            github={"event_name": event, "token": "token"},
            inputs={"deployment": "shop", "services": "", "release": "", **inputs},
            needs={"settings": {"outputs": {}}},
            vars={"DEPLOY_ROLE": role},
        )

    def deploy(self, event: str = "push", **inputs: str) -> Job:
        """Run the deployment, which has to end well; return the job."""
        job = self.job(event=event, **inputs)
        assert job.run(self.environ()), job.output
        return job

    def _program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def deployed(repository: Repository) -> Repository:
    """Deploy the first commit."""
    repository.deploy()
    repository.calls()
    return repository


def test_the_first_deployment_is_of_everything_and_compares_with_nothing(
    repository: Repository,
) -> None:
    first = repository.git("rev-parse", "HEAD")

    job = repository.deploy()

    assert repository.calls() == ["shop: deploy --aws --yes", "gh auth setup-git"]
    assert job.used[-1] == CREDENTIALS
    assert repository.deployed() == first


@pytest.mark.parametrize(
    "path", ["services/create_order/handler.py", "infra/app.py", "requirements/deploy.txt"]
)
def test_a_push_is_explored_since_what_is_deployed_and_then_deployed_whole(
    deployed: Repository, path: str
) -> None:
    before = deployed.deployed()
    after = deployed.commit(path)

    deployed.deploy()

    assert deployed.calls() == [*_explored(before), "shop: deploy --aws --yes", "gh auth setup-git"]
    assert deployed.deployed() == after


def test_a_run_of_what_is_deployed_deploys_it_again(deployed: Repository) -> None:
    before = deployed.deployed()

    deployed.deploy()

    assert "shop: deploy --aws --yes" in deployed.calls()
    assert deployed.deployed() == before


def test_a_deleted_service_is_no_reason_to_fail(deployed: Repository) -> None:
    deployed.commit("services/send_receipt/handler.py")
    after = deployed.commit(remove="services/send_receipt")

    deployed.deploy()

    assert _deployments(deployed) == ["deploy --aws --yes"]
    assert deployed.deployed() == after


def test_what_is_not_safe_stops_before_there_are_credentials(deployed: Repository) -> None:
    before = deployed.deployed()
    deployed.commit("services/create_order/handler.py")
    deployed.says(unsafe=1)

    job = deployed.job()

    assert not job.run(deployed.environ())
    assert "its story" in job.output
    assert CREDENTIALS not in job.used
    assert _deployments(deployed) == []
    assert deployed.deployed() == before


def test_what_a_failed_run_left_behind_comes_along_with_the_next(deployed: Repository) -> None:
    before = deployed.deployed()
    deployed.commit("infra/app.py")
    deployed.says(fails=1)
    failed = deployed.job()

    assert not failed.run(deployed.environ())
    assert deployed.deployed() == before

    deployed.says(fails=0)
    after = deployed.commit("docs/index.md")
    deployed.calls()
    deployed.deploy()

    assert deployed.calls() == [*_explored(before), "shop: deploy --aws --yes", "gh auth setup-git"]
    assert deployed.deployed() == after


def test_a_push_that_ci_took_longer_for_than_for_the_next_is_not_deployed(
    deployed: Repository,
) -> None:
    older = deployed.commit("infra/app.py")
    newer = deployed.commit("infra/app.py")
    deployed.deploy()
    deployed.calls()
    deployed.git("checkout", "-q", older)

    job = deployed.deploy()

    assert deployed.calls() == []
    assert CREDENTIALS not in job.used
    assert deployed.deployed() == newer


def test_one_service_goes_back_to_a_release_that_ci_passed(deployed: Repository) -> None:
    release = deployed.deployed()
    deployed.git("tag", "v1")
    newer = deployed.commit("services/create_order/handler.py")
    deployed.deploy()
    deployed.calls()

    deployed.deploy("workflow_dispatch", services="create_order", release="v1")

    assert deployed.calls() == [
        f"gh api repos/somebody/shop/commits/{release}/check-runs?per_page=100",
        f"shop: explore --from {release}",
        f"shop: deploy create_order --aws --yes --release {release}",
    ]
    assert deployed.deployed() == newer


def test_everything_that_goes_back_to_a_release_is_noted_and_the_next_push_goes_forward(
    deployed: Repository,
) -> None:
    release = deployed.deployed()
    deployed.commit("services/create_order/handler.py")
    deployed.deploy()

    deployed.deploy("workflow_dispatch", release=release)

    assert _deployments(deployed)[-1] == f"deploy --aws --yes --release {release}"
    assert deployed.deployed() == release

    after = deployed.commit("services/create_order/handler.py")
    deployed.deploy()

    assert deployed.calls()[: len(_explored(release))] == _explored(release)
    assert deployed.deployed() == after


def test_by_hand_only_some_services_are_deployed(deployed: Repository) -> None:
    before = deployed.deployed()
    deployed.commit("services/notify_shipping/handler.py")

    deployed.deploy("workflow_dispatch", services="notify_shipping charge_payment")

    assert _deployments(deployed) == ["deploy notify_shipping charge_payment --aws --yes"]
    assert deployed.deployed() == before


def test_what_ci_has_not_passed_is_not_deployed_by_hand(deployed: Repository) -> None:
    deployed.commit("services/create_order/handler.py")
    deployed.says(passed=False)

    job = deployed.job(event="workflow_dispatch")

    assert not job.run(deployed.environ())
    assert "::error::CI has not passed" in job.output
    assert _deployments(deployed) == []


def test_a_commit_that_is_not_in_the_history_of_main_is_not_deployed(deployed: Repository) -> None:
    main = deployed.git("rev-parse", "HEAD")
    deployed.git("checkout", "-q", "-b", "attempt")
    attempt = deployed.commit("services/create_order/handler.py")
    deployed.git("checkout", "-q", main)

    job = deployed.job(event="workflow_dispatch", release=attempt)

    assert not job.run(deployed.environ())
    assert "is not in the history of this branch" in job.output
    assert deployed.calls() == []


@pytest.mark.parametrize(
    "inputs",
    [
        {"services": "create_order; touch pwned"},
        {"services": "$(touch pwned)"},
        {"services": "--anyway"},
        {"release": "--help"},
        {"release": "HEAD; touch pwned"},
        {"release": "`touch pwned`"},
        {"release": "HEAD\n::set-env name=PATH::/tmp"},
        {"deployment": "$(touch pwned)"},
    ],
    ids=str,
)
def test_no_input_is_run_or_taken_for_an_option(
    repository: Repository, inputs: dict[str, str]
) -> None:
    job = repository.job(event="workflow_dispatch", **inputs)

    job.run(repository.environ())

    assert not list(repository.clone.glob("*pwned*"))
    assert "set-env" not in job.output
    if "deployment" not in inputs:
        assert _deployments(repository) == []


@pytest.mark.parametrize(
    ("architecture", "runner"), [("x86_64", "ubuntu-24.04"), ("arm64", "ubuntu-24.04-arm")]
)
def test_images_are_built_on_the_processor_of_the_deployment(
    repository: Repository, architecture: str, runner: str
) -> None:
    settings = {"architecture": architecture, "account": "123456789012", "region": "eu-west-1"}
    repository.says(settings=settings)
    job = repository.job("settings")

    assert job.run(repository.environ()), job.output

    assert job.outputs() == {"account": "123456789012", "region": "eu-west-1", "runner": runner}


def test_settings_without_an_account_or_a_region_leave_them_open(repository: Repository) -> None:
    repository.says(settings={"architecture": "x86_64", "account": None})
    job = repository.job("settings")

    assert job.run(repository.environ()), job.output

    assert job.outputs() == {"account": "", "region": "", "runner": "ubuntu-24.04"}


@pytest.mark.parametrize("role", ["", "arn"])
def test_a_clone_without_a_role_skips_the_deployment(repository: Repository, role: str) -> None:
    by_hand = repository.job("settings", role=role)
    contexts = {"github": {"event_name": "push"}, "vars": {"DEPLOY_ROLE": role}}
    by_push = Job("ci", "deploy", repository.clone, **contexts)

    assert [by_hand.is_skipped(), by_push.is_skipped()] == [not role] * 2


def test_a_pull_request_is_not_deployed(repository: Repository) -> None:
    contexts = {"github": {"event_name": "pull_request"}, "vars": {"DEPLOY_ROLE": "arn"}}

    assert Job("ci", "deploy", repository.clone, **contexts).is_skipped()


def _explored(since: str) -> Sequence[str]:
    return [f"shop: contracts --from {since}", f"shop: explore --from {since}"]


def _deployments(repository: Repository) -> list[str]:
    calls = [call.removeprefix("shop: ") for call in repository.calls()]
    return [call for call in calls if call.startswith("deploy")]

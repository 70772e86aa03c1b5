"""`saga explore`, `saga contracts` and the gate of `saga deploy`, as a person types them."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.emulator import ROOT
from harness.errors import UserError
from harness.releases import (
    Passed,
    changed_services,
    extracted,
    find_base,
    find_passed,
    remember,
)
from tests.changes import BY_NAME, Change, apply
from tests.clone import saga

Clone = Callable[[Change], Path]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return what makes a clone with a main branch, in which a change is not committed yet."""

    def make(change: Change) -> Path:
        copy = tmp_path / "clone"
        for part in ("contracts", "explorer", "harness", "infra", "plumbing", "services", "tests"):
            shutil.copytree(
                ROOT / part,
                copy / part,
                ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            )
        for patch in change.before:
            apply(patch, copy)
        _git(copy, "init", "-q", "-b", "main")
        _git(copy, "add", ".")
        _git(copy, "commit", "-qm", "what is deployed")
        for part in ("contracts", "infra", "plumbing", "services"):
            shutil.rmtree(copy / part)
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, copy / part, ignore=ignored)
        for patch in change.patches:
            apply(patch, copy)
        return copy

    return make


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def _saga(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return saga(copy, *arguments, PYTHONPATH=f"{copy}:{copy / 'services'}")


def test_a_change_that_is_safe_is_explored_and_may_then_be_deployed(clone: Clone) -> None:
    copy = clone(BY_NAME["a consumer declares a field with a default"])

    before = _saga(copy, "deploy", "charge_payment", "--check")
    anyway = _saga(copy, "deploy", "charge_payment", "--check", "--anyway")
    other = _saga(copy, "deploy", "notify_shipping", "--check")
    explored = _saga(copy, "explore", "--from")
    after = _saga(copy, "deploy", "charge_payment", "--check")
    back = _saga(copy, "deploy", "charge_payment", "--release", "main", "--check")

    assert before.returncode == 1
    assert "no exploration of that has passed: run `./saga explore --from`" in before.stderr
    assert (anyway.returncode, other.returncode, after.returncode) == (0, 0, 0)
    assert back.returncode == 0, back.stderr
    assert explored.returncode == 0, explored.stderr
    assert "Changed since the merge base with main" in explored.stdout
    assert "Deploy:     safe" in explored.stdout
    assert "Roll back:  safe" in explored.stdout


def test_a_change_that_is_not_safe_is_shown_with_its_story_and_not_deployed(clone: Clone) -> None:
    copy = clone(BY_NAME["a consumer requires a field that nobody publishes"])

    explored = _saga(copy, "explore", "--from", "HEAD")
    as_json = _saga(copy, "explore", "--from", "--json")
    contracts = _saga(copy, "contracts")
    deployed = _saga(copy, "deploy", "charge_payment", "--check")

    assert (explored.returncode, as_json.returncode) == (1, 1)
    assert "Deploy:     not safe" in explored.stdout
    assert "EnvelopeError: InventoryReserved: Object missing required field" in explored.stdout
    verdict = json.loads(as_json.stdout)
    assert (verdict["verdict"], verdict["passes"]) == ("not safe", False)
    assert verdict["services"] == ["charge_payment"]
    assert verdict["stories"]["failure"]
    assert contracts.returncode == 1
    assert "warehouse is added, required. BREAKS: what is in flight lacks it" in contracts.stdout
    assert "1 of them break" in contracts.stdout
    assert deployed.returncode == 1


def test_no_service_is_rolled_back_where_that_was_not_explored_or_all_are(clone: Clone) -> None:
    copy = clone(BY_NAME["a consumer declares a field with a default"])

    back = _saga(copy, "deploy", "charge_payment", "--release", "main", "--check")
    everything = _saga(copy, "deploy", "--release", "main", "--check")
    nowhere = _saga(copy, "deploy", "charge_payment", "--release", "v0", "--check")

    assert "it was not explored: run `./saga explore --from REF` first" in back.stderr
    assert "it was not explored" in everything.stderr
    assert "git knows no v0" in nowhere.stderr
    assert (back.returncode, everything.returncode, nowhere.returncode) == (1, 1, 1)


def test_a_change_that_is_safe_in_one_order_is_deployed_with_that_said(clone: Clone) -> None:
    copy = clone(BY_NAME["a new value of an enumeration, which its consumer knows"])

    explored = _saga(copy, "explore", "--from")
    deployed = _saga(copy, "deploy", "charge_payment", "--check")
    back = _saga(copy, "deploy", "charge_payment", "--release", "main", "--check")

    assert explored.returncode == 0, explored.stderr
    assert "its exploration found that this is not safe, or deploy by --anyway" in back.stderr
    commands = [line.strip() for line in explored.stdout.splitlines() if "./saga deploy" in line]
    assert commands == ["./saga deploy release_inventory", "./saga deploy charge_payment"]
    assert "Roll back:  not safe" in explored.stdout
    assert deployed.stdout == (
        "Deploy in this order, and in no other: release_inventory, charge_payment.\n"
    )


def test_nothing_changed_is_nothing_to_explore_and_may_be_deployed(clone: Clone) -> None:
    copy = clone(BY_NAME["a consumer declares a field with a default"])
    _git(copy, "checkout", "-q", ".")

    explored = _saga(copy, "explore", "--from")
    contracts = _saga(copy, "contracts")
    deployed = _saga(copy, "deploy", "--check")

    assert (explored.returncode, contracts.returncode, deployed.returncode) == (0, 0, 0)
    assert "No service has changed since" in explored.stdout
    assert "No event has changed since" in contracts.stdout


@pytest.mark.parametrize("command", ["explore", "contracts"])
def test_an_unknown_release_is_one_sentence(clone: Clone, command: str) -> None:
    copy = clone(BY_NAME["a consumer declares a field with a default"])

    refused = _saga(copy, command, "--from", "v0")

    assert refused.returncode == 1
    assert refused.stderr == (
        "saga: git knows no v0: name a commit, a tag or a branch that was fetched.\n"
    )


def test_code_that_does_not_import_is_one_sentence(clone: Clone) -> None:
    copy = clone(BY_NAME["a consumer declares a field with a default"])
    _git(copy, "commit", "-qam", "another")
    handler = copy / "services/charge_payment/handler.py"
    handler.write_text(handler.read_text().replace("import Struct", "import Stract"))

    explored = _saga(copy, "explore", "--from")

    assert explored.returncode == 1
    assert "Traceback" not in explored.stderr
    assert "cannot import name 'Stract'" in explored.stderr


def test_a_folder_without_git_has_no_release_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="git knows no HEAD"):
        find_base(None, tmp_path)


def test_a_clone_of_one_commit_is_compared_with_that(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "topic")
    (tmp_path / "file").write_text("any")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "only")

    assert find_base(None, tmp_path).ref == "HEAD"


def test_services_are_changed_by_their_files_their_rule_and_by_plumbing(tmp_path: Path) -> None:
    old, new = BY_NAME["a rule is moved to another producer"].trees(tmp_path)

    assert changed_services(old, old) == ()
    assert changed_services(old, new) == ("notify_shipping",)
    (new / "services/charge_payment/README.md").write_text("other words")
    assert changed_services(old, new) == ("notify_shipping",)
    (new / "plumbing/log.py").write_text("")
    assert len(changed_services(old, new)) == 6


def test_only_the_last_explorations_are_kept(tmp_path: Path) -> None:
    for number in range(30):
        remember(tmp_path, Passed(f"old {number}", f"new {number}", ("a",), only_in_order=False))

    assert find_passed(tmp_path, "new 29") is not None
    assert find_passed(tmp_path, "new 5") is None
    (tmp_path / "explored.json").write_text("broken")
    assert find_passed(tmp_path, "new 29") is None


def test_a_release_is_extracted_by_a_python_whose_archives_know_no_filters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extract = tarfile.TarFile.extractall
    # As in Python 3.11.2, which Debian 12 has.
    monkeypatch.setattr(
        tarfile.TarFile, "extractall", lambda self, path=".", members=None: extract(self, path)
    )

    with extracted(find_base("HEAD")) as tree:
        assert (tree / "services" / "create_order" / "handler.py").exists()

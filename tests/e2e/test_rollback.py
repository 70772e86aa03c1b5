"""One service goes back to an earlier release by one command, and the rest stays as it is."""

import subprocess
from pathlib import Path

from tests.clone import clone, saga

CARRIER = "services/notify_shipping/carrier.py"
EVENTS = "services/notify_shipping/events.py"


def test_a_service_goes_back_to_what_an_earlier_commit_had(tmp_path: Path) -> None:
    copy = clone(tmp_path)
    _commit(copy, "init", "-q", "-b", "main")
    for name in (CARRIER, EVENTS):
        file = copy / name
        file.write_text(file.read_text().replace("TRK-", "PKG-"))
    _commit(copy)

    try:
        started = saga(copy, "up", "--detach")
        changed = saga(copy, "trigger")
        deployed = saga(copy, "deploy", "notify_shipping", "--release", "HEAD^", "--anyway")
        back = saga(copy, "trigger")
    finally:
        saga(copy, "down")

    assert started.returncode == 0, started.stderr
    assert "PKG-" in changed.stdout
    assert deployed.returncode == 0, deployed.stderr
    assert "TRK-" in back.stdout


def test_a_release_that_is_none_deploys_nothing(tmp_path: Path) -> None:
    copy = clone(tmp_path)
    (copy / "infra/deployment.py").rename(copy / "infra/later.py")
    _commit(copy, "init", "-q", "-b", "main")
    (copy / "infra/later.py").rename(copy / "infra/deployment.py")
    _commit(copy)

    empty = saga(copy, "deploy", "--release", "", "--anyway")
    same = saga(copy, "deploy", "--release", "HEAD", "--anyway")
    early = saga(copy, "deploy", "create_order", "--aws", "--release", "HEAD^", "--anyway")

    assert empty.stderr.startswith("saga: git knows no ref without a name: name a commit")
    assert same.stderr.startswith("saga: No service has changed since HEAD")
    assert "reads no settings of a deployment" in early.stderr
    assert {one.returncode for one in (empty, same, early)} == {1}


def _commit(copy: Path, *first: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (first, ["add", "."], ["commit", "-qm", "a release"]):
        if arguments:
            subprocess.run(["git", *identity, *arguments], cwd=copy, check=True)

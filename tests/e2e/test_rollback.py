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


def _commit(copy: Path, *first: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (first, ["add", "."], ["commit", "-qm", "a release"]):
        if arguments:
            subprocess.run(["git", *identity, *arguments], cwd=copy, check=True)

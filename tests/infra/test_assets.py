"""What changes a service's image, and so its deployment: its own files and plumbing, no others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.emulator import ROOT
from harness.images import images
from harness.saga import SERVICES

Tags = dict[str, str]


def _append(path: str) -> Callable[[Path], None]:
    def change(copy: Path) -> None:
        with (copy / path).open("a") as file:
            file.write("\n# changed\n")

    return change


def _leave_behind(copy: Path) -> None:
    """Do what tools and editors do: caches, hidden folders, other times and modes."""
    service = copy / "services" / "charge_payment"
    for stray in ("__pycache__/events.pyc", ".venv/pyvenv.cfg"):
        (service / stray).parent.mkdir()
        (service / stray).write_text("stray")
    (copy / "plumbing" / "__pycache__").mkdir()
    (copy / "plumbing" / "__pycache__" / "log.pyc").write_text("stray")
    os.utime(service / "events.py", (0, 0))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Tags:
    return _tags(_copy(tmp_path_factory.mktemp("before")))


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (_append("services/charge_payment/gateway.py"), {"charge_payment"}),
        (_append("services/create_order/requirements.txt"), {"create_order"}),
        (_append("plumbing/log.py"), set(SERVICES)),
        (_append("services/charge_payment/README.md"), set()),
        (_append("services/charge_payment/requirements.in"), set()),
        (_leave_behind, set()),
    ],
    ids=[
        "one service",
        "its pinned requirements",
        "plumbing",
        "a README",
        "unpinned requirements",
        "stray files",
    ],
)
def test_a_change_changes_the_images_that_have_it_and_no_other(
    tmp_path: Path, before: Tags, change: Callable[[Path], None], changed: set[str]
) -> None:
    copy = _copy(tmp_path)

    change(copy)

    after = _tags(copy)
    assert {service for service in SERVICES if after[service] != before[service]} == changed


def _copy(folder: Path) -> Path:
    for part in ("infra", "plumbing", "services"):
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    return folder


def _tags(copy: Path, **variables: str) -> Tags:
    """Synthesize in a process of its own, because a process stages each folder only once."""
    assembly = copy / "cdk.out"
    environ = os.environ | {"CDK_OUTDIR": str(assembly), "PYTHONPATH": str(copy), **variables}
    subprocess.run(
        [sys.executable, "-m", "infra"], cwd=copy, env=environ, check=True, capture_output=True
    )
    assert json.loads((assembly / "manifest.json").read_text())
    return {image.service: image.name for image in images(assembly)}

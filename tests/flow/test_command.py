"""`saga flow`, as a person or CI runs it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.deploy import synthesize
from harness.emulator import ROOT
from harness.environment import HOME
from tests.clone import clone, saga


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Make a copy that is synthesized already, as long as nothing of it is changed."""
    copy = clone(tmp_path)
    shutil.copytree(ROOT / "docs/flow", copy / "docs/flow")
    assembly = synthesize(HOME)
    shutil.copytree(assembly, copy / ".saga" / assembly.name)
    shutil.copy(HOME / "cdk.out.sha256", copy / ".saga")
    return copy


def test_it_reports_a_consistent_flow_and_how_long_that_took(copy: Path) -> None:
    ran = _flow(copy)

    assert ran.returncode == 0
    summary, seconds, unit = ran.stdout.splitlines()[-1].rsplit(" ", 2)
    assert (float(seconds) >= 0, unit) == (True, "s")
    assert summary == ("5 services, 6 events, 7 statuses, 4 rules: consistent. Nothing to write.")


def test_it_writes_what_is_out_of_date_and_names_it(copy: Path) -> None:
    folder = copy / "docs" / "flow"
    before = (folder / "flow.svg").read_text()
    (folder / "flow.svg").write_text("another picture")
    (folder / "states.mmd").unlink()

    ran = _flow(copy)

    assert ran.returncode == 0
    assert "Wrote docs/flow/flow.svg, docs/flow/states.mmd." in ran.stdout
    assert (folder / "flow.svg").read_text() == before
    assert _flow(copy, "--check").returncode == 0


def test_a_check_names_what_is_out_of_date_and_writes_nothing(copy: Path) -> None:
    picture = copy / "docs" / "flow" / "flow.svg"
    picture.write_text("another picture")

    checked = _flow(copy, "--check")

    assert checked.returncode == 1
    assert checked.stderr == "saga: Out of date: docs/flow/flow.svg. `saga flow` writes them.\n"
    assert picture.read_text() == "another picture"


def test_what_does_not_agree_is_named_and_nothing_is_written(copy: Path) -> None:
    events = copy / "services" / "notify_shipping" / "events.py"
    declared = events.read_text()
    events.write_text(declared.replace("ShippingScheduled, final=True", "ShippingScheduled"))
    picture = copy / "docs" / "flow" / "flow.svg"
    picture.write_text("another picture")

    ran = _flow(copy)

    assert events.read_text() != declared
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == (
        "No service consumes ShippingScheduled, which notify_shipping publishes: let one consume "
        "it, or declare its step `final=True` in services/notify_shipping/events.py."
    )
    assert ran.stderr == ("saga: The flow is not consistent: 1 as above. Nothing is written.\n")
    assert picture.read_text() == "another picture"


def _flow(copy: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return saga(copy, "flow", *options)

"""The orders' API does what its description says, whatever is asked: schemathesis tries it."""

import os
import subprocess
import sys
from pathlib import Path

from contracts import FOLDER
from harness.emulator import ROOT
from harness.environment import Environment

EXAMPLES = os.environ.get("SAGA_EXAMPLES", "50")  # of each operation, in each of its phases


def test_nothing_that_is_asked_gets_an_answer_that_is_not_described(
    saga: Environment, tmp_path: Path
) -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(FOLDER / "openapi.json")),
            *("--url", saga.api_url, "--checks", "all", "--max-examples", EXAMPLES),
            *("--generation-deterministic", "--no-color", "--suppress-health-check", "all"),
        ],
        cwd=tmp_path,  # it keeps what it found there
        env=os.environ
        | {"SCHEMATHESIS_HOOKS": "tests.e2e.own_keys", "PYTHONPATH": f"{ROOT}:{ROOT}/services"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-5_000:] + run.stderr[-2_000:]
    assert "2 selected / 2 total" in run.stdout

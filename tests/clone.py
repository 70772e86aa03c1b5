"""A copy of what makes the saga, to change and to run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.emulator import ROOT

PARTS = (
    "compose",
    "contracts",
    "explorer",
    "harness",
    "infra",
    "plumbing",
    "requirements",
    "services",
)


def clone(folder: Path) -> Path:
    """Copy what the `saga` command needs into a new folder there."""
    copy = folder / "clone"
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / ".venv-emulator").symlink_to(ROOT / ".venv-emulator")
    return copy


def saga(copy: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the `saga` command of a copy."""
    paths = {"PYTHONPATH": str(copy), "SAGA_FILES": str(copy / ".saga")}
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=copy,
        env={**os.environ, **paths, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

"""Packages of npm that tests need: installed when they are first needed, from a lock file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine import MAY_SKIP

needs_npm = pytest.mark.skipif(
    MAY_SKIP and shutil.which("npm") is None, reason="needs npm: install it beside Node.js."
)


def install(folder: Path) -> Path:
    """Install what a folder's lock file lists, unless it is there; return where it is."""
    lock, modules = folder / "package-lock.json", folder / "node_modules"
    installed = modules / "installed-package-lock.json"
    if not (installed.exists() and installed.read_bytes() == lock.read_bytes()):
        assert shutil.which("npm"), "npm is missing: install it beside Node.js, then run this again"
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        run = subprocess.run(["npm", "ci", *quiet], cwd=folder, check=False)
        assert run.returncode == 0, f"{folder.name} is not installed: see npm's message above."
        shutil.copy(lock, installed)
    return modules

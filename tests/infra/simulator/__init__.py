"""What IAM would decide: `@cloud-copilot/iam-simulate`, asked over one Node process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine import MAY_SKIP

FOLDER = Path(__file__).resolve().parent
LOCK = FOLDER / "package-lock.json"
INSTALLED = FOLDER / "node_modules" / "installed-package-lock.json"

Policies = Sequence[Mapping[str, Any]]

needs_npm = pytest.mark.skipif(
    MAY_SKIP and shutil.which("npm") is None, reason="needs npm: install it beside Node.js."
)


class Request(msgspec.Struct, frozen=True):
    """An action on a resource, and the values of its condition keys."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = {}


class Simulator:
    """Decides by the policies of a role."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def allowed(self, policies: Policies, requests: Iterable[Request]) -> list[Request]:
        """Answer those of the requests that the policies allow."""
        asked = list(requests)
        answer = self._ask({"policies": policies, "requests": msgspec.to_builtins(asked)})
        return [request for request, is_allowed in zip(asked, answer, strict=True) if is_allowed]

    def all_allowed(self, policies: Policies, resources: Sequence[str]) -> set[tuple[str, str]]:
        """Answer action and resource of everything, of all that AWS knows, that is allowed."""
        answer = self._ask({"policies": policies, "resources": resources})
        return {(action, resource) for action, resource in answer}

    def _ask(self, question: Mapping[str, Any]) -> list[Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "The policy simulator ended: see what it wrote above."
        listed: list[Any] = json.loads(answer)
        return listed


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Start a simulator, installed as its lock file says."""
    _install()
    with subprocess.Popen(
        ["node", FOLDER / "simulate.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Simulator(process)


def _install() -> None:
    if INSTALLED.exists() and INSTALLED.read_bytes() == LOCK.read_bytes():
        return
    assert shutil.which("npm"), "npm is missing: install it beside Node.js, then run this again."
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run = subprocess.run(["npm", "ci", *quiet], cwd=FOLDER, check=False)
    assert run.returncode == 0, "The policy simulator is not installed: see npm's message above."
    shutil.copy(LOCK, INSTALLED)

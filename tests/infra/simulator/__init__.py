"""What IAM would decide: `@cloud-copilot/iam-simulate`, asked over one Node process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.npm import install

FOLDER = Path(__file__).resolve().parent

Policies = Sequence[Mapping[str, Any]]


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
        """Return those of the requests that the policies allow."""
        asked = list(requests)
        response = self._ask({"policies": policies, "requests": msgspec.to_builtins(asked)})
        return [request for request, is_allowed in zip(asked, response, strict=True) if is_allowed]

    def all_allowed(self, policies: Policies, resources: Sequence[str]) -> set[tuple[str, str]]:
        """Return action and resource of everything, of all that AWS knows, that is allowed."""
        response = self._ask({"policies": policies, "resources": resources})
        return {(action, resource) for action, resource in response}

    def _ask(self, question: Mapping[str, Any]) -> list[Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        response = self._process.stdout.readline()
        assert response, "The policy simulator ended: see what it wrote above."
        listed: list[Any] = json.loads(response)
        return listed


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Start a simulator, installed from its lock file."""
    install(FOLDER)
    with subprocess.Popen(
        ["node", FOLDER / "simulate.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Simulator(process)

"""A job of a workflow, run as GitHub's runners do: its scripts for real, in a folder.

Of GitHub's expressions it knows those that the workflows here have.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from harness.emulator import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")
PARTS = re.compile(r"'[^']*'|&&|\|\||[a-z]\w*(?:\.\w+)+")


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow. YAML 1.1 reads its `on` as true."""
    read = yaml.safe_load((WORKFLOWS / f"{name}.yaml").read_text())
    return {"on": read.pop(True), **read}


class Job:
    """A run of one job: its conditions, its steps one by one, and their outputs."""

    def __init__(self, name: str, job: str, folder: Path, **contexts: Mapping[str, Any]) -> None:
        self._job = workflow(name)["jobs"][job]
        self._folder = folder
        self._contexts: dict[str, Any] = {"steps": {}, **contexts}
        self.output = ""
        self.used: list[str] = []

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression; what is not there is an empty text."""
        python = {"&&": " and ", "||": " or "}
        return eval(
            PARTS.sub(lambda found: python.get(found[0]) or self._value(found[0]), expression)
        )

    def _value(self, part: str) -> str:
        if part.startswith("'"):
            return part
        found: Any = self._contexts
        for name in part.split("."):
            found = found.get(name, "") if found else ""
        return repr(found)

    def expand(self, text: str) -> str:
        """Return a text with the values of its expressions."""
        return EXPRESSION.sub(lambda found: str(self.evaluate(found[1])), text)

    def is_skipped(self) -> bool:
        """Return whether the job's own condition does not hold."""
        return not self.evaluate(self._job.get("if", "True"))

    def run(self, environ: Mapping[str, str]) -> bool:
        """Run the steps until one fails; return whether none did."""
        own = {name: self.expand(text) for name, text in self._job.get("env", {}).items()}
        return all(self._step(step, {**environ, **own}) for step in self._steps())

    def outputs(self) -> dict[str, str]:
        """Return the job's outputs."""
        return {name: self.expand(text) for name, text in self._job["outputs"].items()}

    def _steps(self) -> Iterator[Mapping[str, Any]]:
        for step in self._job["steps"]:
            if self.evaluate(step.get("if", "True")):
                yield step

    def _step(self, step: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
        if "uses" in step:
            self.used.append(step["uses"].partition("@")[0])
            return True
        outputs = self._folder.with_name("outputs")
        outputs.write_text("")
        env = {name: self.expand(text) for name, text in step.get("env", {}).items()}
        run = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            cwd=self._folder,
            env={**environ, **env, "GITHUB_OUTPUT": str(outputs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.output += run.stdout
        pairs = [line.split("=", 1) for line in outputs.read_text().splitlines()]
        self._contexts["steps"][step.get("id", "")] = {"outputs": dict(pairs)}
        return run.returncode == 0

"""The synthesized app."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.deploy import synthesize
from harness.environment import HOME
from harness.names import MONITORING, PLATFORM, stack_name
from harness.saga import SERVICES
from tests.infra.simulator import Simulator
from tests.infra.simulator import simulator as start_simulator


@dataclass(frozen=True)
class Assembly:
    """What `cdk synth` makes: a template for each stack, and the manifest."""

    folder: Path

    @property
    def stacks(self) -> list[str]:
        return [PLATFORM, MONITORING, *map(stack_name, SERVICES)]

    @property
    def manifest(self) -> dict[str, Any]:
        return self._load("manifest.json")

    def template(self, stack: str) -> dict[str, Any]:
        return self._load(f"{stack}.template.json")

    def resources(self, stack: str, kind: str) -> list[dict[str, Any]]:
        """Return the properties of a stack's resources of one kind."""
        found = self.template(stack)["Resources"].values()
        return [one.get("Properties", {}) for one in found if one["Type"] == kind]

    def grants(self, service: str) -> list[dict[str, Any]]:
        """Return the statements of the policies of a service's function."""
        stack = stack_name(service)
        role, _ = self.resource(stack, "AWS::Lambda::Function")["Role"]["Fn::GetAtt"]
        return [
            statement
            for policy in self.resources(stack, "AWS::IAM::Policy")
            if policy["Roles"] == [{"Ref": role}]
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def resource(self, stack: str, kind: str) -> dict[str, Any]:
        [properties] = self.resources(stack, kind)
        return properties

    def _load(self, name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / name).read_text())
        return loaded


@pytest.fixture(scope="session")
def assembly() -> Assembly:
    return Assembly(synthesize(HOME))


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with start_simulator() as started:
        yield started

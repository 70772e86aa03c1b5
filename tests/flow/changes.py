"""Changes of what a flow is read from: what a service declares, and its template."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from harness.flow.check import check
from harness.flow.read import Found, read
from harness.names import stack_name
from plumbing.participant import Participant

Properties = dict[str, Any]

RULE, POLICY = "AWS::Events::Rule", "AWS::IAM::Policy"


def findings(found: Found) -> list[str]:
    """Return what is wrong with it."""
    return check(read(found))


def declared(found: Found, service: str, **changes: Any) -> Found:
    """Let a service declare something else, or a new one declare this."""
    before = found.participants.get(service) or Participant(consumes=None)
    return _with(found, service, msgspec.structs.replace(before, **changes))


def step_declared(found: Found, service: str, to: str, **changes: Any) -> Found:
    """Let a service declare something else of its step to this status."""
    before = found.participants[service] or Participant(consumes=None)
    steps = tuple(
        msgspec.structs.replace(step, **changes) if step.to == to else step for step in before.steps
    )
    return declared(found, service, steps=steps)


def undeclared(found: Found, service: str) -> Found:
    """Let a service declare nothing."""
    return _with(found, service, None)


def _with(found: Found, service: str, participant: Participant | None) -> Found:
    return msgspec.structs.replace(found, participants={**found.participants, service: participant})


def deployed(
    found: Found, service: str, kind: str, change: Callable[[Properties], object]
) -> Found:
    """Change the resources of a kind in a service's template."""
    templates = copy.deepcopy(dict(found.templates))
    for resource in templates[stack_name(service)]["Resources"].values():
        if resource["Type"] == kind:
            change(resource["Properties"])
    return msgspec.structs.replace(found, templates=templates)


def granted(found: Found, service: str, change: Callable[[Properties], object]) -> Found:
    """Change the statements by which a service may publish events."""

    def change_statements(policy: Properties) -> None:
        for statement in grants(policy):
            change(statement)

    return deployed(found, service, POLICY, change_statements)


def grants(policy: Properties) -> Iterator[Properties]:
    """Yield the statements of a policy that allow to publish events."""
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Action"] == "events:PutEvents":
            yield statement


def without(found: Found, service: str, *kinds: str) -> Found:
    """Take the resources of these kinds out of a service's template; all of it if none is named."""
    stack = stack_name(service)
    resources = found.templates[stack]["Resources"]
    kept = {name: one for name, one in resources.items() if kinds and one["Type"] not in kinds}
    templates = {**found.templates, stack: {"Resources": kept}}
    return msgspec.structs.replace(found, templates=templates)


def backwards(found: Found) -> Found:
    """Return the same, found in the opposite order."""
    return msgspec.structs.replace(
        found,
        participants=dict(reversed([*found.participants.items()])),
        templates=dict(reversed([*found.templates.items()])),
        contracts=dict(reversed([*found.contracts.items()])),
    )

"""Changes of what a flow is read from: what a service declares, its code, its template."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from harness.deploy import stack_name
from harness.flow.check import check
from harness.flow.read import Found, read
from plumbing.part import Part

Properties = dict[str, Any]

RULE, POLICY = "AWS::Events::Rule", "AWS::IAM::Policy"


def findings(found: Found) -> list[str]:
    """Answer what is wrong with it."""
    return check(read(found))


def declared(found: Found, service: str, **changes: Any) -> Found:
    """Let a service declare something else."""
    part = msgspec.structs.replace(found.parts.get(service) or Part(hears=None), **changes)
    return msgspec.structs.replace(found, parts={**found.parts, service: part})


def undeclared(found: Found, service: str) -> Found:
    """Let a service declare nothing."""
    return msgspec.structs.replace(found, parts={**found.parts, service: None})


def written(found: Found, service: str, file: str, more: str) -> Found:
    """Write more into a file of a service."""
    files = {**found.sources[service], file: found.sources[service][file] + more}
    return msgspec.structs.replace(found, sources={**found.sources, service: files})


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
    """Change the statements by which a service may say events."""

    def change_statements(policy: Properties) -> None:
        for statement in grants(policy):
            change(statement)

    return deployed(found, service, POLICY, change_statements)


def grants(policy: Properties) -> Iterator[Properties]:
    """Yield the statements of a policy that allow to say events."""
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
    """Answer the same, found in the opposite order."""
    return msgspec.structs.replace(
        found,
        parts=dict(reversed([*found.parts.items()])),
        sources=dict(reversed([*found.sources.items()])),
        templates=dict(reversed([*found.templates.items()])),
        contracts=dict(reversed([*found.contracts.items()])),
    )

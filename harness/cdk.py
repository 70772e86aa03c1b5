"""Deploy to AWS by the CDK's own command, one stack after the other."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.names import stack_name

# The 3.x line of this package is older, and refuses what today's library synthesizes.
CLI = "aws-cdk@2.1148.1"
_SERVICE = "Order saga: the service "  # as infra/ describes a service's stack


def deploy(
    assembly: Path, stacks: Sequence[str], report: Callable[[str], None], options: Sequence[str]
) -> None:
    """Deploy these stacks in this order; raises UserError at the first that fails.

    The CDK does nothing for a stack that is deployed as it is, so that to run this again finishes
    what failed.
    """
    if shutil.which("npx") is None:
        raise UserError("The CDK's command needs npx: install Node.js with npm, then run it again.")
    for number, stack in enumerate(stacks, 1):
        report(f"{stack} ({number} of {len(stacks)})")
        command = ["npx", "--yes", CLI, "deploy", "--app", str(assembly), "--exclusively"]
        # A person's own environment: AWS sees all that they configured.
        try:
            run = subprocess.run([*command, *options, stack], check=False)
        except KeyboardInterrupt:
            report(
                f"What CloudFormation has begun for {stack} goes on there: look, then run again."
            )
            raise
        if run.returncode:
            raise UserError(
                f"{stack} was not deployed, nor what comes after it: see above, then run this "
                "again. What is deployed already stays as it is."
            )


def left_over(cloudformation: Any, prefix: str, services: Sequence[str]) -> Iterator[str]:
    """Yield the services of a deployment that have a stack there, and are no longer in the app."""
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            described = stack.get("Description", "")
            service = described.removeprefix(_SERVICE).removesuffix(".")
            # The name tells whose it is: `shop` has no stack of `shop-eu`.
            is_ours = stack["StackName"] == stack_name(service, prefix)
            if described.startswith(_SERVICE) and is_ours and service not in services:
                yield service

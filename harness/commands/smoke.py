"""Try what a deployment promises: smoke."""

from __future__ import annotations

import argparse
import os
import time

from harness import environment
from harness.commands.command import Command, add_api_url, add_aws, seconds
from harness.environment import Clients
from harness.errors import UserError
from harness.names import stack_name
from harness.orders import Orders
from harness.saga import DOORS
from harness.smoke import PATIENCE, Smoke
from harness.terminal import complain, say


def _smoke_options(parser: argparse.ArgumentParser) -> None:
    add_aws(parser)
    add_api_url(parser)
    parser.add_argument(
        "--timeout", type=seconds, default=PATIENCE, metavar="SECONDS", help="for each order"
    )
    parser.add_argument(
        "--retries",
        action="store_true",
        help="on AWS: wait for forged events to reach the failure queues, which takes three "
        "minutes and raises alarms (elsewhere it takes seconds, and is always done)",
    )


def smoke(call: argparse.Namespace) -> int:
    """Try what a deployment promises, by orders of its own that are deleted afterwards."""
    if call.api_url and not call.aws:
        raise UserError("--api-url is the door of a deployment on AWS: give --aws with it.")
    clients = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    if call.aws:
        token = os.environ.get("SAGA_TOKEN")
        door = Orders(call.api_url or _door(clients), configured=True, token=token)
    else:
        door = Orders(environment.require(call.home, call.prefix).api_url)
    begun, broken, tried = time.monotonic(), 0, 0
    with door as orders:
        test = Smoke(clients, orders, retries=call.retries or not call.aws, patience=call.timeout)
        say(f"Its customer and its SKU in {clients.where}: {test.name}")
        try:
            for check in test.run():
                broken, tried = broken + bool(check.problem), tried + 1
                seen = (f"BROKEN: {check.problem}", "red") if check.problem else ("ok", "green")
                say(f"{check.seconds:>6.1f} s  {check.promise}: ", seen)
        finally:
            left = clean(test)
    took = f"in {time.monotonic() - begun:.1f} s"
    say(f"{tried - broken} of {tried} are kept, {took}.{'' if left else ' Nothing is left.'}")
    return int(bool(broken or left))


def clean(test: Smoke) -> list[str]:
    """Delete what the run made, also when that is interrupted; name and return what is left."""
    try:
        left = test.clean()
    except KeyboardInterrupt:
        clean(test)  # a command that has begun to end is not interrupted again
        raise
    for problem in left:
        complain(problem)
    return left


def _door(clients: Clients) -> str:
    """Return the URL of the orders' API, as its stack has it."""
    cloudformation = clients.client("cloudformation")
    for door in DOORS:
        stacks = cloudformation.describe_stacks(StackName=stack_name(door, clients.prefix))
        for output in stacks["Stacks"][0].get("Outputs", []):
            if output["OutputKey"] == "ApiUrl":
                return str(output["OutputValue"])
    raise UserError("The stack has no output ApiUrl: name the API by --api-url.")


COMMANDS = (Command(smoke, _smoke_options, acts=True),)

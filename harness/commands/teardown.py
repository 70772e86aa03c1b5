"""Remove a deployment, or one service of it: teardown."""

from __future__ import annotations

import argparse
import re

from harness import environment
from harness.commands.command import Command, add_aws
from harness.environment import Clients
from harness.errors import UserError
from harness.saga import DOORS
from harness.teardown import Held, Left, Removal
from harness.terminal import Progress, say


def _service(text: str) -> str:
    """Read the name of a service, which need not be one of the app; nothing is not all."""
    if not re.fullmatch("[a-z][a-z0-9_-]{0,60}", text):
        raise argparse.ArgumentTypeError(f"give the name of a service, not {text or 'nothing'}")
    return text.replace("-", "_")


def _teardown_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        type=_service,
        metavar="SERVICE",
        help="only this service's stack, also of one that the app no longer has",
    )
    parser.add_argument(
        "--data", action="store_true", help="also the tables and the failure queues, for good"
    )
    parser.add_argument(
        "--anyway", action="store_true", help="also while orders are open or events have failed"
    )
    parser.add_argument(
        "--yes", metavar="NAME", help="the deployment's name, typed here and not when asked"
    )
    add_aws(parser)


def teardown(call: argparse.Namespace) -> int:
    """Remove a deployment: its stacks, the door first; its tables stay, unless --data is given."""
    clients = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    removal = Removal(clients, call.only)
    held, left = removal.held(), removal.left()
    if held and not call.anyway:
        raise UserError(_refusal(call, held))
    data = left if call.data else Left([], [])
    _show_unknown(call, removal)
    if not removal.stacks and not data.tables and not data.queues:
        say(f"There is no stack to remove, of {clients.where}.")
        _show_left(call, left)
        return 0
    _confirm(call, clients, removal, data)
    progress = Progress()
    removal.run(progress, anyway=call.anyway)
    queues = removal.left().queues
    if not call.data:
        # One that is empty keeps nothing, and CloudFormation could not take it in again.
        kept = queues if held else removal.held().messages
        queues = [queue for queue in queues if queue not in kept]
    removal.remove_queues(queues, progress)
    removal.remove_tables(data.tables, progress)
    if clients.endpoint and not call.only:
        removal.remove_local_code()
    progress.done()
    _show_left(call, removal.left())
    return 0


def _refusal(call: argparse.Namespace, held: Held) -> str:
    which = "".join([" --aws"] * call.aws + [f" --prefix {call.prefix}"])
    if call.only:
        return (
            f"There are {held}, which {call.only} is for: look at `saga trace --open{which}` and "
            f"`saga failures{which}`, or add --anyway."
        )
    doors = " ".join(f"`saga teardown --only {door}{which}`" for door in DOORS)
    return (
        f"There are {held}: {doors} closes the door; then `saga redrive{which}` and "
        f"`saga resume{which}` until none is left, or add --anyway to strand them."
    )


def _show_unknown(call: argparse.Namespace, removal: Removal) -> None:
    if removal.unknown:
        say(
            f"Not touched, because no part of {call.prefix} is named so: "
            f"{', '.join(removal.unknown)}. A service that the app no longer has goes by --only."
        )


def _confirm(call: argparse.Namespace, clients: Clients, removal: Removal, data: Left) -> None:
    """Let a person type the name of what is removed; raises UserError for another."""
    stacks = [one.name for one in removal.stacks]
    say(f"To be removed, of {clients.where}: {', '.join([*stacks, *data.tables, *data.queues])}.")
    typed = call.yes
    if typed is None:
        say("Type the deployment's name: ", end="")
        try:
            typed = input()
        except EOFError:
            raise UserError(f"Nothing was typed: give --yes {call.prefix} in a script.") from None
    if typed != call.prefix:
        raise UserError(f"{typed or 'Nothing'} is not {call.prefix}: nothing was removed.")


def _show_left(call: argparse.Namespace, left: Left) -> None:
    names = [*left.tables, *left.queues]
    if not names:
        say("Nothing is left." if not call.only else "Its stack and its queue are gone.")
        return
    which = "".join([" --aws"] * call.aws + [f" --prefix {call.prefix}"])
    say(
        f"Left, with what is in them: {', '.join(names)}. `saga teardown --data{which}` deletes "
        "them; docs/runbook.md tells how a deployment takes them in again."
    )


COMMANDS = (Command(teardown, _teardown_options, acts=True),)

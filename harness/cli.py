"""`saga`: puts the commands together, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from harness import emulator, environment
from harness.commands import changes, failures, flow, orders, page, trace
from harness.commands import environment as environment_commands
from harness.commands.command import Command, add_prefix
from harness.errors import UserError
from harness.terminal import console

COMMANDS: tuple[Command, ...] = (
    *environment_commands.COMMANDS,
    *orders.COMMANDS,
    *trace.COMMANDS,
    *failures.COMMANDS,
    *page.COMMANDS,
    *flow.COMMANDS,
    *changes.COMMANDS,
)


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code: 0, 1 for an error, 2 for a wrong call."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    on_aws = False
    try:
        call = parser().parse_args(arguments)
        on_aws = getattr(call, "aws", False)
        return int(call.run(call))
    except UserError as error:
        print(f"\nsaga: {error}" if console.is_terminal else f"saga: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        if not on_aws:
            raise
        # Expired credentials, a missing permission: AWS's message is for the person.
        print(f"saga: AWS refuses: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output has gone, as `| head` does: so may we.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        emulator.stop_children()


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    whole = argparse.ArgumentParser(
        prog="saga", description="Run the order saga on this machine, and order from it."
    )
    whole.add_argument(
        "--home",
        type=Path,
        default=environment.HOME,
        help="where the environment keeps its files: another home is another environment",
    )
    added = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        text = (command.run.__doc__ or "").rstrip(".")
        one = added.add_parser(command.name, help=text[0].lower() + text[1:], description=text)
        one.set_defaults(run=command.run)
        command.options(one)
        if command.deployed:
            add_prefix(one)
    return whole

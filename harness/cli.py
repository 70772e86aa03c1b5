"""`saga`: puts the commands together, and turns errors into exit codes."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from harness import emulator, environment, terminal
from harness.commands import changes, failures, flow, orders, page, smoke, teardown, trace
from harness.commands import environment as environment_commands
from harness.commands.command import Command, add_prefix, home
from harness.errors import UserError
from plumbing.untrusted import printable

COMMANDS: tuple[Command, ...] = (
    *environment_commands.COMMANDS,
    *orders.COMMANDS,
    *trace.COMMANDS,
    *failures.COMMANDS,
    *page.COMMANDS,
    *flow.COMMANDS,
    *changes.COMMANDS,
    *smoke.COMMANDS,
    *teardown.COMMANDS,
)

# An interrupt that came to nothing is raised again after so long.
AGAIN_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code: 0, 1 for an error, 2 for a wrong call."""
    with _ended_by_signals():
        try:
            return terminal.run(lambda: _run(arguments))
        finally:
            emulator.stop_children()
    return 130


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a termination and a closed terminal end a command as Ctrl-C does, surely and only once.

    A shell and its terminal may both say that they are gone: what has begun to end is not
    interrupted again. And Python drops an exception that is raised while it finalizes a file or a
    response, without a word: so the signal is given again until the command does end.
    """
    has_ended = False

    def end(*_: object) -> None:
        if not has_ended and not _is_interrupted():
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
            raise KeyboardInterrupt

    for one in emulator.ENDINGS:
        if signal.getsignal(one) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(one, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        has_ended = True
        # One that is still to come would end the interpreter itself, amid its own end.
        signal.setitimer(signal.ITIMER_REAL, 0)


def _is_interrupted() -> bool:
    """Return whether an interrupt is being handled."""
    handled = sys.exception()
    while handled and not isinstance(handled, KeyboardInterrupt):
        handled = handled.__context__
    return handled is not None


def _run(arguments: list[str]) -> int:
    call = parser().parse_args(arguments)
    terminal.go_on_unread(call.acts)
    if getattr(call, "aws", False):
        return _run_on_aws(call)
    with environment.explained(call.home):
        return int(call.run(call))


def _run_on_aws(call: argparse.Namespace) -> int:
    try:
        return int(call.run(call))
    except (BotoCoreError, ClientError) as error:
        # Expired credentials, a missing permission: AWS's message is for the person.
        raise UserError(f"AWS refuses: {error}") from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    whole = _Parser(
        prog="saga", description="Run the order saga on this machine, and order from it."
    )
    whole.add_argument(
        "--home",
        type=home,
        default=environment.HOME,
        help="where the environment keeps its files: another home is another environment",
    )
    added = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        text = (command.run.__doc__ or "").rstrip(".")
        one = added.add_parser(command.name, help=text[:1].lower() + text[1:], description=text)
        one.set_defaults(run=command.run, acts=command.acts)
        command.options(one)
        if command.deployed:
            add_prefix(one)
    return whole

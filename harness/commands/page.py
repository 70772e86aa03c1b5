"""Serve the page: ui."""

from __future__ import annotations

import argparse

from harness.commands.command import Command, add_aws, port, seconds
from harness.errors import UserError
from harness.terminal import say


def _ui_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port, help="the page's port (default: a free one)")
    parser.add_argument(
        "--overdue",
        type=seconds,
        default=10,
        metavar="SECONDS",
        help="an order without a step for longer is overdue (default: 10)",
    )
    add_aws(parser, "not offered: the page is local")


def ui(call: argparse.Namespace) -> int:
    """Serve a page that shows the saga live, to watch it and to break it."""
    if call.aws:
        raise UserError("The page shows an environment on this machine: on AWS it is not offered.")
    # No other command waits for a web server to be imported, or needs one to be installed.
    try:
        from harness.ui import server
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed here: run `./saga ui` beside the containers."
        ) from error

    def show(url: str) -> None:
        say(f"Watch it: {url}")
        say("Stop it:  Ctrl-C")

    server.run(call.home, call.prefix, call.port, call.overdue, show)
    return 0


COMMANDS = (Command(ui, _ui_options),)

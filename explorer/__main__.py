"""`python -m explorer FILE explore` tries everything that can happen to a file's exploration."""

from __future__ import annotations

import argparse
import sys

from explorer import commands, terminal
from explorer.loading import origin

EPILOG = """WHAT is a module or a file with an Exploration, or with a function that returns one:
`tests/exploration.py` has one named `exploration`; `shop.tests:orders` is another by its name."""


def main(arguments: list[str]) -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m explorer",
        description="Crash-test Lambda handlers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="WHAT")
    added = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_explore(added.add_parser("explore", help="try everything that can happen"))
    commands.add_story(added.add_parser("story", help="tell one schedule again"))
    call = parser.parse_args(arguments)
    run = commands.explore if call.command == "explore" else commands.story
    return terminal.run(lambda: run(origin(call.what), call, terminal.Terminal()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Show whether a change can be deployed while orders are open: explore, contracts."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts.compare import Difference, compare
from contracts.former import is_kept
from contracts.surface import SurfaceError, surface
from harness.commands.command import Command
from harness.connect import PYTHON, environment
from harness.emulator import ROOT
from harness.errors import UserError
from harness.releases import Base, extracted, find_base
from harness.terminal import say, say_json


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="since",
        metavar="REF",
        help="the git ref of what is deployed (default: the merge base with the main branch)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def explore(call: argparse.Namespace) -> int:
    """Explore every order in which the changed services can be deployed and rolled back."""
    # The exploration is of the tests: it knows what must hold of every order.
    arguments = ["deployments", "--home", str(call.home.absolute())]
    arguments += ["--from", call.since] if call.since else []
    arguments += ["--json"] if call.json else []
    return subprocess.run(
        [*PYTHON, str(ROOT / "tests" / "simulation" / "__main__.py"), *arguments],
        cwd=ROOT,
        env=environment(),
        check=False,
    ).returncode


def contracts(call: argparse.Namespace) -> int:
    """Show what changed in each event, whether it breaks, and which consumers it hurts."""
    base = find_base(call.since)
    try:
        with extracted(base) as old:
            found = compare(surface(old), surface(ROOT))
            found += _not_kept(old)
    except SurfaceError as error:
        raise UserError(f"The events cannot be read: {error}.") from error
    if call.json:
        say_json(found)
    else:
        _print(found, base)
    return int(any(one.breaks for one in found))


def _print(found: Sequence[Difference], base: Base) -> None:
    for event in dict.fromkeys(one.event for one in found):
        say(event)
        for one in found:
            if one.event == event:
                say(f"  {one}")
    if not found:
        say(f"No event has changed since {base}.")
        return
    breaking = sum(bool(one.breaks) for one in found)
    say(f"{len(found)} changes since {base}, {breaking} of them break.")


def _not_kept(old: Path) -> Iterator[Difference]:
    """Yield the samples of the old release that are not kept although their form has changed."""
    for path in sorted((old / "contracts/events").glob("*.sample.json")):
        detail_type = path.name.removesuffix(".sample.json")
        if not is_kept(ROOT / "contracts", detail_type, json.loads(path.read_text())):
            yield Difference(
                event=detail_type,
                service="contracts",
                change="the sample has another form, and the former one is not kept",
                breaks="no test holds consumers to it: run `make contracts`",
            )


COMMANDS = (
    Command(explore, _options, deployed=False),
    Command(contracts, _options, deployed=False),
)

"""Show whether a change holds, and can be deployed while orders are open: explore, contracts."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts.compare import Difference, compare
from contracts.former import is_kept
from contracts.surface import SurfaceError, surface
from harness.commands.command import Command, text
from harness.connect import PYTHON, environment
from harness.emulator import ROOT
from harness.errors import UserError
from harness.releases import Base, extracted, find_base
from harness.terminal import say, say_json

# Of what has no text of its own: `--from` alone.
MERGE_BASE = object()


def _contracts_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="since",
        metavar="REF",
        help="the git ref of what is deployed (default: the merge base with the main branch)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _explore_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenarios", nargs="*", type=text, metavar="SCENARIO", help="its name (default: all)"
    )
    parser.add_argument(
        "--from",
        dest="since",
        nargs="?",
        const=MERGE_BASE,
        metavar="REF",
        help="explore the deployments of what changed since this git ref, "
        "by itself since the merge base with the main branch",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--junit", type=text, metavar="FILE", help="write a file of JUnit, for CI")
    parser.add_argument(
        "--watch", action="store_true", help="explore again whatever a saved file touches"
    )


def _story_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", type=text, metavar="SCENARIO")
    parser.add_argument(
        "schedule", type=text, metavar="SCHEDULE", help="as `explore` prints it: 0.2.11"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def explore(call: argparse.Namespace) -> int:
    """Run the handlers through all that can go wrong, or, by --from, through every deployment."""
    as_json = ["--json"] if call.json else []
    if call.since is None:
        junit = [f"--junit={Path(call.junit).absolute()}"] if call.junit else []
        watch = ["--watch"] if call.watch else []
        return _simulation("explore", *as_json, *junit, *watch, "--", *call.scenarios)
    if call.scenarios or call.junit or call.watch:
        raise UserError("--from explores deployments: give it no scenario, --junit or --watch.")
    since = [] if call.since is MERGE_BASE else [f"--from={call.since}"]
    return _simulation("deployments", "--home", str(call.home.absolute()), *since, *as_json)


def story(call: argparse.Namespace) -> int:
    """Tell a schedule that an exploration has found once more."""
    as_json = ["--json"] if call.json else []
    return _simulation("story", *as_json, "--", call.scenario, call.schedule)


def _simulation(*arguments: str) -> int:
    """Run the exploration, which is of the tests: it knows what must hold of every order."""
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
    Command(explore, _explore_options, deployed=False),
    Command(story, _story_options, deployed=False),
    Command(contracts, _contracts_options, deployed=False),
)

"""`python -m tests.simulation`: explore, also deployments; simulate; replay; write the pages."""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

# By this file, as `saga explore` calls it, Python adds no folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.append(str(Path(__file__).resolve().parents[2] / "services"))

from explorer import commands
from explorer.loading import Origin
from harness import releases, terminal
from harness.emulator import ROOT
from harness.errors import UserError
from harness.terminal import complain, say, say_json

if TYPE_CHECKING:
    from explorer.exploration import Exploration


def _exploration() -> Exploration:
    # Imported only here, because a watch imports it again whenever a file of it was saved.
    return importlib.import_module("tests.simulation.saga").exploration()  # type: ignore[no-any-return]


SAGA = Origin(_exploration, "./saga", "the saga")


def explore_all(call: argparse.Namespace) -> int:
    """Explore one scenario, or all, and print the shortest story of each that does not hold."""
    return commands.explore(SAGA, call, terminal)


def story(call: argparse.Namespace) -> int:
    """Replay a schedule."""
    return commands.story(SAGA, call, terminal)


def simulate(call: argparse.Namespace) -> int:
    """Live through random days, one seed after the other."""
    from tests.simulation import explored

    seed = call.seed if call.seed is not None else random.SystemRandom().randrange(10**6)
    until, days, orders = time.monotonic() + 60 * call.minutes, 0, 0
    while days == 0 or time.monotonic() < until:
        day = explored.simulate(seed + days)
        days, orders = days + 1, orders + day.ends.total()
        say(
            f"seed {day.seed}: {day.ends.total()} orders in {day.seconds:.1f} s, "
            f"{day.happened.total()} things went wrong, {day.failed} in failure queues, "
            f"ends {dict(sorted(day.ends.items()))}"
        )
        if day.broken:
            for broken in day.broken:
                say(f"  => {broken}")
            say(f"make simulate SEED={day.seed}")
            return 1
    say(f"{days} days, {orders} orders: everything held.")
    return 0


def deployments(call: argparse.Namespace) -> int:
    """Explore every deployment of what changed since a git ref."""
    from explorer.calls import BreachError
    from explorer.deployments import SAFE
    from explorer.search import TooManyStatesError
    from tests.simulation import report
    from tests.simulation.deployments import judge

    try:
        base = releases.find_base(call.since)
        with releases.extracted(base) as old:
            changed = releases.changed_services(old, ROOT)
            if changed and not call.json:
                print(f"Exploring every deployment of {', '.join(changed)} ...", file=sys.stderr)
            try:
                verdict = judge(old, ROOT)
            except (ImportError, SyntaxError, AttributeError, BreachError) as error:
                raise UserError(f"A release cannot be loaded: {error}.") from error
            except TooManyStatesError as error:
                raise UserError(f"Deploy less at a time: {error}.") from error
            if report.passes(verdict):
                passed = releases.Passed(
                    releases.fingerprint(old),
                    releases.fingerprint(ROOT),
                    verdict.order,
                    only_in_order=verdict.what != SAFE,
                    back="no"
                    if verdict.rollback
                    else "any"
                    if verdict.back_in_any_order
                    else "in order",
                )
                releases.remember(call.home, passed)
    except UserError as error:
        complain(error)
        return 1
    if call.json:
        say_json(report.as_json(verdict, str(base)), indent=2)
    else:
        for line in report.lines(verdict, str(base)):
            say(line)
    return 0 if report.passes(verdict) else 1


def reliability(call: argparse.Namespace) -> int:
    """Write docs/reliability.md and docs/reliability-stories.md."""
    from tests.simulation import page

    for path, text in page.pages().items():
        path.write_text(text)
        say(f"Wrote {path.name}.")
    return 0


def renew_evolution(call: argparse.Namespace) -> int:
    """Explore every example of a change, and write the table of docs/evolution.md."""
    from tests.simulation import evolution

    evolution.PAGE.write_text(evolution.page())
    say(f"Wrote {evolution.PAGE.name}.")
    return 0


def judge_mutants(call: argparse.Namespace) -> int:
    """Change the services and plumbing in every small way, and print what nothing notices."""
    from tests.simulation import explored, mutants

    try:
        files = mutants.chosen(call.file, call.since)
        explore = None if call.only_unit_tests else explored.broken_by
        explored.release()  # what it imports, no mutant's process imports again
        found = mutants.judge(files, explore, mutants.show_progress)
    except UserError as error:
        complain(error)
        return 2
    if call.json:
        say_json(found.as_json(), indent=2)
    else:
        for line in found.lines():
            say(line)
    return 0 if found.passes else 1


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    added = parser.add_subparsers(required=True)
    parse = added.add_parser("explore")
    commands.add_explore(parse)
    parse.set_defaults(command=explore_all)
    parse = added.add_parser("story")
    commands.add_story(parse)
    parse.set_defaults(command=story)
    parse = added.add_parser("simulate")
    parse.add_argument("--seed", type=int)
    parse.add_argument("--minutes", type=float, default=0)
    parse.set_defaults(command=simulate)
    parse = added.add_parser("deployments")
    parse.add_argument("--from", dest="since")
    parse.add_argument("--json", action="store_true")
    parse.add_argument("--home", type=Path, default=ROOT / ".saga")
    parse.set_defaults(command=deployments)
    parse = added.add_parser("reliability")
    parse.set_defaults(command=reliability)
    parse = added.add_parser("evolution")
    parse.set_defaults(command=renew_evolution)
    parse = added.add_parser("mutants")
    parse.add_argument("--file", action="append", default=[])
    parse.add_argument("--from", dest="since")
    parse.add_argument("--only-unit-tests", action="store_true")
    parse.add_argument("--json", action="store_true")
    parse.set_defaults(command=judge_mutants)
    call = parser.parse_args()
    return int(call.command(call))


try:
    sys.exit(terminal.run(main))
except KeyboardInterrupt:
    sys.exit(130)

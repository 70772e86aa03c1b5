"""`python -m tests.simulation`: explore, also deployments; simulate; replay; write the pages."""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

# By this file, as `saga explore` calls it, Python adds no folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.append(str(Path(__file__).resolve().parents[2] / "services"))

from harness import releases, terminal
from harness.emulator import ROOT
from harness.errors import UserError
from harness.terminal import complain, say, say_json
from tests.simulation import evolution, page, report
from tests.simulation.chance import live
from tests.simulation.code import Code
from tests.simulation.deployments import SAFE, judge_change
from tests.simulation.explore import explore, replay
from tests.simulation.guards import GUARDS
from tests.simulation.invariants import Judge
from tests.simulation.scenarios import SCENARIOS


def explore_all(call: argparse.Namespace) -> int:
    """Explore one scenario, or all, and print the shortest story of the first failure."""
    code = Code()
    chosen = [one for one in SCENARIOS if call.scenario in ("", one.name)]
    if not chosen:
        return _unknown("scenario", call.scenario, [one.name for one in SCENARIOS])
    for scenario in chosen:
        machine = scenario.machine(code)
        found = explore(machine, Judge(machine))
        say(f"{scenario.name:<24} {found.states:>8,} states {found.seconds:6.1f} s")
        if found.story:
            for line in found.story.lines(machine):
                say(line)
            say(page.command(scenario, ".".join(map(str, found.story.schedule))))
            return 1
    return 0


def story(call: argparse.Namespace) -> int:
    """Replay a schedule, on the code as it is or without one guard."""
    scenarios = {one.name: one for one in SCENARIOS}
    guards = {guard.name: guard for guard in GUARDS}
    if call.scenario not in scenarios:
        return _unknown("scenario", call.scenario, list(scenarios))
    if call.without and call.without not in guards:
        return _unknown("guard", call.without, list(guards))
    machine = scenarios[call.scenario].machine(
        Code(guards[call.without].edits if call.without else ())
    )
    try:
        schedule = [int(choice) for choice in call.schedule.split(".") if choice]
        replayed = replay(machine, Judge(machine), schedule)
    except (ValueError, IndexError):
        complain("This schedule does not fit the code, which has changed: explore again.")
        return 2
    for line in replayed.lines(machine):
        say(line)
    if not replayed.broken:
        say("  => everything holds")
    return 1 if replayed.broken else 0


def simulate(call: argparse.Namespace) -> int:
    """Live through random days, one seed after the other."""
    seed = call.seed if call.seed is not None else random.SystemRandom().randrange(10**6)
    until, days, orders, code = time.monotonic() + 60 * call.minutes, 0, 0, Code()
    while days == 0 or time.monotonic() < until:
        day = live(seed + days, code)
        days, orders = days + 1, orders + day.ends.total()
        say(
            f"seed {day.seed}: {day.ends.total()} orders in {day.seconds:.1f} s, "
            f"{day.faults.total()} things went wrong, {day.failed} in failure queues, "
            f"{day.swept} swept, ends {dict(sorted(day.ends.items()))}"
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
    try:
        base = releases.find_base(call.since)
        with releases.extracted(base) as old:
            changed = releases.changed_services(old, ROOT)
            if changed and not call.json:
                print(f"Exploring every deployment of {', '.join(changed)} ...", file=sys.stderr)
            try:
                verdict = judge_change(old, ROOT)
            except (ImportError, SyntaxError, AttributeError) as error:
                raise UserError(f"A release cannot be loaded: {error}.") from error
            except RuntimeError as error:
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
    for path, text in page.pages().items():
        path.write_text(text)
        say(f"Wrote {path.name}.")
    return 0


def renew_evolution(call: argparse.Namespace) -> int:
    """Explore every example of a change, and write the table of docs/evolution.md."""
    evolution.PAGE.write_text(evolution.page())
    say(f"Wrote {evolution.PAGE.name}.")
    return 0


def _unknown(what: str, name: str, names: list[str]) -> int:
    print(
        f"There is no {what} {name!r}: name one of {', '.join(map(repr, names))}.", file=sys.stderr
    )
    return 2


def main() -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    parse = commands.add_parser("explore")
    parse.add_argument("scenario", nargs="?", default="")
    parse.set_defaults(command=explore_all)
    parse = commands.add_parser("story")
    parse.add_argument("scenario")
    parse.add_argument("schedule")
    parse.add_argument("--without", default="")
    parse.set_defaults(command=story)
    parse = commands.add_parser("simulate")
    parse.add_argument("--seed", type=int)
    parse.add_argument("--minutes", type=float, default=0)
    parse.set_defaults(command=simulate)
    parse = commands.add_parser("deployments")
    parse.add_argument("--from", dest="since")
    parse.add_argument("--json", action="store_true")
    parse.add_argument("--home", type=Path, default=ROOT / ".saga")
    parse.set_defaults(command=deployments)
    parse = commands.add_parser("reliability")
    parse.set_defaults(command=reliability)
    parse = commands.add_parser("evolution")
    parse.set_defaults(command=renew_evolution)
    call = parser.parse_args()
    return int(call.command(call))


sys.exit(terminal.run(main))

"""The commands: `explore` tries everything that can happen, `story` tells one schedule again."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from explorer import report
from explorer.calls import BreachError, UnknownCallError
from explorer.invariants import Judge
from explorer.loading import CommandError, Origin, choose, load
from explorer.machine import Machine
from explorer.run import Result, explore_all
from explorer.search import Schedule, TooManyStatesError, replay
from explorer.story import tell
from explorer.terminal import Output
from explorer.watch import Done, Failed, Loaded, Seen, Watch

DOES_NOT_FIT = "This schedule does not fit the code, which has changed: explore again."
NO_SCHEDULE = "A schedule is numbers with dots between them, as `explore` prints it: 0.2.11."


def add_explore(parser: argparse.ArgumentParser) -> None:
    """Add the options of `explore`."""
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="its name (default: all)")
    parser.add_argument(
        "--processes", type=_number, metavar="N", help="at once (default: one a processor)"
    )
    parser.add_argument(
        "--limit", type=_number, metavar="N", help="end with an error at so many states"
    )
    parser.add_argument("--json", action="store_true", help="print one object of JSON")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write a file of JUnit, for CI")
    parser.add_argument(
        "--watch", action="store_true", help="explore again whatever a saved file touches"
    )


def add_story(parser: argparse.ArgumentParser) -> None:
    """Add the options of `story`."""
    parser.add_argument("scenario", metavar="SCENARIO")
    parser.add_argument("schedule", metavar="SCHEDULE", help="as `explore` prints it: 0.2.11")
    parser.add_argument("--json", action="store_true", help="print one object of JSON")


def explore(
    origin: Origin,
    call: argparse.Namespace,
    output: Output,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Explore; return 0 when everything holds, 1 when something does not, 2 when it cannot."""
    try:
        return _watch(origin, call, output, wait) if call.watch else _once(origin, call, output)
    except (CommandError, BreachError, UnknownCallError, TooManyStatesError) as error:
        output.complain(str(error))
        return 2


def story(origin: Origin, call: argparse.Namespace, output: Output) -> int:
    """Replay a schedule; return 0 when everything holds after it, 1 when something does not."""
    try:
        exploration, release = load(origin)
        [scenario] = choose(exploration, [call.scenario])
        if not re.fullmatch(r"(\d+(\.\d+)*)?", call.schedule):
            raise CommandError(NO_SCHEDULE)
        choices = tuple(int(choice) for choice in call.schedule.split(".") if choice)
        machine = Machine(exploration, release, scenario)
        states = [machine.start, *(state for _, state in replay(machine, choices))]
        told = tell(machine, Schedule(Judge(machine).broken(states[-1]), choices))
    except IndexError:
        output.complain(DOES_NOT_FIT)
        return 2
    except (CommandError, BreachError, UnknownCallError) as error:
        output.complain(str(error))
        return 2
    if call.json:
        output.say_json(told.as_json(), indent=2)
    else:
        for line in told.lines(errors=True, places=True):
            output.say(line)
    return int(bool(told.broken))


class _Shown:
    """Shows a run of explorations as far as it has come."""

    def __init__(self, origin: Origin, call: argparse.Namespace, output: Output) -> None:
        self._origin, self._call, self._output = origin, call, output
        self.processes: int = call.processes or os.cpu_count() or 1
        self.begin()

    def begin(self) -> None:
        """Begin a run."""
        self._results: dict[str, Result] = {}
        self._began = time.perf_counter()

    def draw(self, states: Mapping[str, int]) -> None:
        """Show how many states are known of what is being explored."""
        if not self._call.json:
            self._output.draw(", ".join(f"{name}: {n:,} states" for name, n in states.items()))

    def add(self, result: Result) -> None:
        """Show one result."""
        self._results[result.scenario] = result
        if not self._call.json:
            self._output.say(report.line(result))
            if self._call.watch:  # whoever edits need not wait for the others
                self._tell([result])

    def end(self, order: Sequence[str], missing: Sequence[str]) -> bool:
        """Show all of them together; return whether everything holds."""
        output, seconds = self._output, time.perf_counter() - self._began
        results = [self._results[name] for name in order if name in self._results]
        if self._call.junit:
            try:
                report.write_junit(self._call.junit, results, missing, self._origin.name)
            except OSError as error:
                why = f"{self._call.junit} cannot be written ({error.strerror})."
                raise CommandError(why) from error
        if self._call.json:
            output.say_json(report.as_json(results, missing, seconds, self.processes), indent=2)
        else:
            output.say(report.total(results, seconds, self.processes))
            if not self._call.watch:
                self._tell(results)
            for line in missing:
                output.say(line)
        return report.holds(results, missing)

    def _tell(self, results: Sequence[Result]) -> None:
        for line in report.stories(results, self._origin.command):
            self._output.say(line)


def _once(origin: Origin, call: argparse.Namespace, output: Output) -> int:
    exploration, release = load(origin)
    scenarios, shown = choose(exploration, call.scenarios), _Shown(origin, call, output)
    results = []
    for result in explore_all(
        exploration, release, scenarios, shown.processes, call.limit, shown.draw
    ):
        results.append(result)
        shown.add(result)
    missing = report.untaken(exploration, results)
    return 0 if shown.end([one.name for one in scenarios], missing) else 1


def _watch(
    origin: Origin, call: argparse.Namespace, output: Output, wait: Callable[[float], None]
) -> int:
    shown, order = _Shown(origin, call, output), list[str]()
    watch = Watch(origin, call.scenarios, shown.processes, call.limit, wait)
    for message in watch.messages():
        match message:
            case Loaded(scenarios):
                order = list(scenarios)
                shown.begin()
            case Seen(states):
                shown.draw(states)
            case Result():
                shown.add(message)
            case Failed(why, is_usage=True):
                raise CommandError(why)
            case Failed(why):
                output.complain(why)
            case Done(missing):
                shown.end(order, missing)
        is_verdict = isinstance(message, Done) or (isinstance(message, Result) and message.story)
        if is_verdict and watch.saved and not call.json:
            when, file = watch.saved
            output.say(f"{time.time() - when:.1f} s after {file.name} was saved")
    raise AssertionError("a watch has no end")


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,14}", text):
        raise argparse.ArgumentTypeError(f"give a number of 1 or more, not {text}")
    return int(text)

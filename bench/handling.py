"""What a function takes of the processor per event, once it is warm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench import events
from bench.cold_start import SERVICE
from bench.contestants import FIVE, Contestant, Report, settings
from bench.function import Function
from bench.spread import Spread, spread, turns
from bench.stand_ins import Aws
from harness.errors import UserError

DRIVER = Path(__file__).with_name("drive.py")


class Handling(msgspec.Struct, frozen=True, kw_only=True):
    """One service: all of the process, and its own code by itself.

    The whole is the runtime client, the handler, the SDK, HTTP and TLS, in milliseconds of the
    processor. Its own code, for Python alone, is the handler with nothing behind its clients, in
    microseconds and in instructions.
    """

    whole_ms: Spread
    own_us: Spread | None
    own_instructions: int | None


def measure(
    contestants: Sequence[Contestant],
    batches: int,
    at_a_time: int,
    warm_up: int,
    report: Report,
    *,
    count_instructions: bool,
) -> dict[str, dict[str, Handling]]:
    """Give each function events in batches, the contestants in turn."""
    found: dict[str, dict[str, Handling]] = {contestant.name: {} for contestant in contestants}
    for service in FIVE:
        report(f"Handling events in {service}")
        whole = _whole(contestants, service, batches, at_a_time, warm_up)
        own = _own(contestants, service, batches)
        for contestant in contestants:
            counted = (
                _instructions(contestant, service)
                if count_instructions and service == SERVICE and _is_python(contestant)
                else None
            )
            found[contestant.name][service] = Handling(
                whole_ms=spread(whole[contestant.name]),
                own_us=spread(own[contestant.name]) if contestant.name in own else None,
                own_instructions=counted,
            )
    return found


def _whole(
    contestants: Sequence[Contestant], service: str, batches: int, at_a_time: int, warm_up: int
) -> dict[str, list[float]]:
    """Measure whole processes; each returns the mean of each batch."""
    event = events.event(service)
    found: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    with ExitStack() as stack:
        aws = stack.enter_context(Aws())
        aws.store(events.item(service))
        functions = {}
        for contestant in contestants:
            folder = contestant.unpack(service)
            function = stack.enter_context(Function(contestant, service, folder, aws))
            function.ready()
            for _ in range(warm_up):
                function.handle(event)
            functions[contestant.name] = function
        for in_turn in turns(list(functions.items()), batches):
            for name, function in in_turn:
                before = function.cpu_ms()
                for _ in range(at_a_time):
                    function.handle(event)
                found[name].append((function.cpu_ms() - before) / at_a_time)
    return found


def _own(contestants: Sequence[Contestant], service: str, runs: int) -> dict[str, list[float]]:
    """Measure handlers by themselves; each run returns the best of its batches."""
    found: dict[str, list[float]] = {c.name: [] for c in contestants if _is_python(c)}
    for _ in range(max(1, runs // 2)):
        for contestant in contestants:
            if contestant.name in found:
                found[contestant.name].append(float(_drive(contestant, service, 2000).stdout))
    return found


def _instructions(contestant: Contestant, service: str) -> int | None:
    """Count an event's instructions with valgrind: those of 120 events, less those of 20."""
    if shutil.which("valgrind") is None:
        return None
    few, many = (
        _collected(_drive(contestant, service, count, counted=True)) for count in (20, 120)
    )
    return round((many - few) / 100)


def _collected(driven: subprocess.CompletedProcess[str]) -> int:
    [count] = re.findall(r"Collected : (\d+)", driven.stderr)
    return int(count)


def _drive(
    contestant: Contestant, service: str, count: int, *, counted: bool = False
) -> subprocess.CompletedProcess[str]:
    folder = contestant.unpack(service)
    module, _, function = contestant.command(service)[-1].rpartition(".")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    given = {"event": json.loads(events.event(service)), "item": events.item(service)}
    driven = subprocess.run(
        [
            *(valgrind if counted else []),
            *(contestant.command(service)[0], str(DRIVER), module, function, str(count)),
        ],
        input=json.dumps(given),
        cwd=folder,
        env={
            **settings(service),
            **contestant.environment,
            "PYTHONPATH": f"{folder}:{contestant.environment['PYTHONPATH']}",
            "PYTHONHASHSEED": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if driven.returncode:
        raise UserError(f"{service} of {contestant.title} cannot be driven: {driven.stderr[-500:]}")
    return driven


def _is_python(contestant: Contestant) -> bool:
    return "PYTHONPATH" in contestant.environment

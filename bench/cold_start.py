"""Cold starts: from the start of a process to its first `next`, and to its first response."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench import events
from bench.contestants import Contestant, Report
from bench.function import Function
from bench.spread import Spread, spread, turns
from bench.stand_ins import Aws

# A function in the middle of the flow, with both clients; the others differ by a few modules.
SERVICE = "charge_payment"


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One cold start, in milliseconds, milliseconds of the processor, and bytes."""

    to_next_ms: float
    to_next_cpu_ms: float
    to_answer_ms: float
    first_event_cpu_ms: float
    second_event_cpu_ms: float
    peak_memory: float
    bytes_loaded: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """The cold starts of one contestant, and the bytes that its image adds to its base."""

    to_next_ms: Spread
    to_next_cpu_ms: Spread
    to_answer_ms: Spread
    first_event_cpu_ms: Spread
    second_event_cpu_ms: Spread
    peak_memory: Spread
    bytes_loaded: Spread
    package_bytes: int
    code_bytes: int


def measure(contestants: Sequence[Contestant], starts: int, report: Report) -> dict[str, ColdStart]:
    """Start each contestant so often, in turn, after one start that fills the page cache."""
    found: dict[str, list[Start]] = {contestant.name: [] for contestant in contestants}
    folders = {contestant.name: contestant.unpack(SERVICE) for contestant in contestants}
    with Aws() as aws:
        aws.store(events.item(SERVICE))
        for turn, in_turn in enumerate(turns(contestants, starts + 1)):
            report(f"Cold starts, turn {turn} of {starts}")
            for contestant in in_turn:
                start = _start(contestant, folders[contestant.name], aws)
                if turn:
                    found[contestant.name].append(start)
    return {
        contestant.name: ColdStart(
            **{
                field: spread([getattr(start, field) for start in found[contestant.name]])
                for field in Start.__struct_fields__
            },
            package_bytes=size(contestant.packages) if contestant.packages else 0,
            code_bytes=size(folders[contestant.name]),
        )
        for contestant in contestants
    }


def size(folder: Path) -> int:
    """Sum up the bytes of the files below a folder, links apart."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def _start(contestant: Contestant, folder: Path, aws: Aws) -> Start:
    event = events.event(SERVICE)
    with Function(contestant, SERVICE, folder, aws) as function:
        to_next = function.ready()
        cpu_at_next, loaded = function.cpu_ms(), function.bytes_loaded()
        first = function.handle(event)
        cpu_after_first, memory = function.cpu_ms(), function.peak_memory()
        function.handle(event)
        return Start(
            to_next_ms=to_next,
            to_next_cpu_ms=cpu_at_next,
            to_answer_ms=to_next + first,
            first_event_cpu_ms=cpu_after_first - cpu_at_next,
            second_event_cpu_ms=function.cpu_ms() - cpu_after_first,
            peak_memory=memory,
            bytes_loaded=loaded,
        )

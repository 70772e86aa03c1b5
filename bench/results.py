"""What a run found, as it is kept beside the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bench.calls import PerOrder
from bench.cold_start import ColdStart
from bench.contention import Contention
from bench.end_to_end import EndToEnd
from bench.handling import Handling
from bench.machine import Machine
from bench.scale import AtScale


class Results(msgspec.Struct, kw_only=True):
    """What was measured so far; a part that was not is empty."""

    machine: Machine
    quick: bool
    titles: Mapping[str, str] = {}
    cold_start: Mapping[str, ColdStart] = {}
    handling: Mapping[str, Mapping[str, Handling]] = {}
    calls: Mapping[str, Mapping[str, PerOrder]] = {}
    end_to_end: Mapping[str, EndToEnd] = {}
    scale: Sequence[AtScale] = ()
    contention: Sequence[Contention] = ()

    def save(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"
        # Measurements on one line.
        path.write_bytes(re.sub(rb"\[[-\d.,\s]+\]", lambda row: b"".join(row[0].split()), text))


def load(path: Path) -> Results:
    """Read what a run found."""
    return msgspec.json.decode(path.read_bytes(), type=Results)

"""What this machine is, for the page that the figures are on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.images import engine_problem


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine, when it was measured on, and how busy it was before."""

    measured: str
    commit: str
    processor: str
    processors: int
    memory_gb: float
    system: str
    python: str
    node: str
    load: float
    engine: bool


def describe() -> Machine:
    """Describe this machine as it is now."""
    return Machine(
        measured=datetime.now(UTC).isoformat(timespec="minutes"),
        commit=_says("git", "describe", "--always", "--dirty"),
        processor=_field("/proc/cpuinfo", "model name") or platform.processor(),
        processors=os.cpu_count() or 1,
        memory_gb=int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1024**2,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        node=_says("node", "--version").lstrip("v"),
        load=os.getloadavg()[0],
        engine=engine_problem() is None,
    )


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return ""


def _says(*command: str) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=False)
        return output.stdout.strip() or "unknown"
    except FileNotFoundError:
        return "none"

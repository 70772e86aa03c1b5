"""The functions of a running environment, to be killed: processes of this machine or containers."""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness.environment import Environment

RUNTIME_CLIENT = b"awslambdaric"
# When one dies while it starts, the emulator ends all others of its function: a kill would be many.
STARTS_SECONDS = 3


@contextmanager
def dying(saga: Environment, chance: random.Random, seconds: float) -> Iterator[list[str]]:
    """Kill a function at random, every so many seconds on average; yield the killed ones."""
    killed: list[str] = []
    over = threading.Event()

    def kill() -> None:
        while not over.wait(chance.uniform(0, 2 * seconds)):
            killed.extend(_kill_one(saga, chance))

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        try:
            yield killed
        finally:
            over.set()
            killing.result()


def _kill_one(saga: Environment, chance: random.Random) -> list[str]:
    """Kill one of the functions that run; return its name, or nothing when none is there."""
    if saga.images:
        from tests.e2e.containers import kill_function

        return kill_function(chance)
    assert saga.emulator is not None
    processes = _processes(saga.emulator.pid)
    if not processes:
        return []
    pid = chance.choice(processes)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return [str(pid)]
    return []


def _processes(emulator: int) -> list[int]:
    """Return the emulator's own children that run the Lambda runtime client, and have started."""
    found = []
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            # A process may end while it is looked at.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # Fields 4 and 22, the parent and the start; the second may hold anything.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
                if (
                    int(fields[1]) == emulator
                    and age > STARTS_SECONDS
                    and RUNTIME_CLIENT in (folder / "cmdline").read_bytes()
                ):
                    found.append(int(folder.name))
    return sorted(found)

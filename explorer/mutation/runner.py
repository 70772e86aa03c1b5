"""Run checks on each mutant, in a process of its own that is forked from this one.

What this process has imported by then, such as pytest and botocore, no child imports again.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from explorer.mutation.mutants import Mutant

MAX_MEMORY = 4 * 1024**3  # a mutant that fills a list for ever ends here


@dataclass(frozen=True)
class Check:
    """A check of a mutant.

    run: returns what it found wrong, or None. What it raises is taken for that as well.
    limit: how many seconds it may take; what takes longer never ends, and was found wrong.
    """

    name: str
    run: Callable[[Mutant], str | None]
    limit: Callable[[Mutant], float] = lambda _: 60


@dataclass(frozen=True)
class Verdict:
    """What came of a mutant: the check that killed it, and why; "" for one that survived."""

    mutant: Mutant
    killed_by: str
    why: str
    seconds: float


def run(mutants: Sequence[Mutant], checks: Sequence[Check], workers: int = 2) -> Iterator[Verdict]:
    """Yield the verdict on each mutant, as they come."""
    waiting, running = list(reversed(mutants)), selectors.DefaultSelector()
    gc.freeze()  # no child goes through what is here already
    try:
        while waiting or running.get_map():
            while waiting and len(running.get_map()) < workers:
                child = _Child(waiting.pop(), checks)
                running.register(child.output, selectors.EVENT_READ, child)
            for key, _ in running.select():
                if key.data.has_ended():
                    running.unregister(key.fileobj)
                    yield key.data.verdict()
    finally:
        for key in list(running.get_map().values()):
            os.kill(key.data.pid, signal.SIGKILL)
            os.waitpid(key.data.pid, 0)
        running.close()


class _Child:
    """A process that runs checks on a mutant; it writes the name of each before it begins it."""

    def __init__(self, mutant: Mutant, checks: Sequence[Check]) -> None:
        self._mutant, self._begun, self._written = mutant, time.monotonic(), b""
        self.output, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.output)
            _judge(mutant, checks, out)
        os.close(out)

    def has_ended(self) -> bool:
        """Read what it wrote; return whether that is all."""
        written = os.read(self.output, 65536)
        self._written += written
        return not written

    def verdict(self) -> Verdict:
        """Return what it found."""
        os.close(self.output)
        _, status = os.waitpid(self.pid, 0)
        seconds = time.monotonic() - self._begun
        *names, last = self._written.decode(errors="replace").split("\n")
        if os.WIFSIGNALED(status):
            timed_out = os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGPROF)
            why = "it does not end" if timed_out else f"it ends by signal {os.WTERMSIG(status)}"
            return Verdict(self._mutant, names[-1] if names else "", why, seconds)
        name, why = json.loads(last) if last else (names[-1], "its process ends")
        return Verdict(self._mutant, name, why, seconds)


def _judge(mutant: Mutant, checks: Sequence[Check], out: int) -> None:
    """Run the checks, write the result, and end this process."""
    name, why = "", ""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, resource.RLIM_INFINITY))
        for over in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(over, signal.SIG_DFL)
        for check in checks:
            os.write(out, f"{check.name}\n".encode())
            signal.setitimer(signal.ITIMER_PROF, 0)  # a check may have set it for its own parts
            signal.setitimer(signal.ITIMER_REAL, check.limit(mutant))
            try:
                found = check.run(mutant)
            except BaseException as error:
                found = f"{type(error).__name__}: {error}"
            if found:
                name, why = check.name, found
                break
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(out, json.dumps([name, why[:500]]).encode())
    finally:
        os._exit(0)

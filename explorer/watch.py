"""Explore again what a saved file touches, as often as one is saved."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from explorer.calls import BreachError, UnknownCallError
from explorer.loading import CommandError, Origin, choose, forget_own_modules, load, own_files
from explorer.report import untaken
from explorer.run import Result, end_quietly, endings_held, explore_all
from explorer.search import TooManyStatesError

POLLED = 0.5


@dataclass(frozen=True)
class Loaded:
    """The exploration is loaded: the names of what is explored, its files, the handlers' files."""

    scenarios: Sequence[str]
    files: frozenset[Path]
    handlers: frozenset[Path]


@dataclass(frozen=True)
class Seen:
    """So many states are known of what is being explored."""

    states: Mapping[str, int]


@dataclass(frozen=True)
class Done:
    """All is explored; these are the transitions that are missing."""

    missing: Sequence[str]


@dataclass(frozen=True)
class Failed:
    """It cannot be explored as it is; these files may be why."""

    why: str
    files: frozenset[Path] = frozenset()
    is_usage: bool = False


Message = Loaded | Seen | Result | Done | Failed


@dataclass
class Watch:
    """What is known of an exploration while its files are edited.

    results: the last one of each scenario. pending: the scenarios to explore, None for all chosen.
    saved: when the file was saved that the next verdict is about, and the file.
    """

    origin: Origin
    names: Sequence[str]
    processes: int
    limit: int | None
    wait: Callable[[float], None] = time.sleep
    results: dict[str, Result] = field(default_factory=dict)
    pending: set[str] | None = None
    saved: tuple[float, Path] | None = None
    _files: frozenset[Path] = frozenset()
    _watched: frozenset[Path] = frozenset()
    _stamps: dict[Path, tuple[int, ...]] = field(default_factory=dict)
    _begun: float = 0.0

    def messages(self) -> Iterator[Message]:
        """Yield what happens, for as long as anybody wants to know.

        What is being explored when a file is saved that matters to it is begun again.
        """
        while True:
            self._begun = time.time()
            with self._exploring() as connection:
                yield from self._until_saved(connection)

    def _until_saved(self, connection: Connection) -> Iterator[Message]:
        ended = False
        while not self._look():
            if ended:
                self.wait(POLLED)
            elif connection.poll(POLLED):
                message = _receive(connection)
                self._note(message)
                ended = isinstance(message, Done | Failed)
                yield message

    def _note(self, message: Message) -> None:
        match message:
            case Loaded(scenarios, files, handlers):
                self._files, self._watched = files, handlers
                self.results = {n: one for n, one in self.results.items() if n in scenarios}
                known = set() if self.pending is None else set(self.results) - self.pending
                self.pending = set(scenarios) - known
            case Result(scenario=name):
                self.results[name] = message
                self.pending = (self.pending or set()) - {name}
            case Failed(files=files):
                self._watched |= files

    def _look(self) -> bool:
        """Return whether something was saved that matters, and note to what it does."""
        changed: dict[Path, float] = {}
        of_results = [one.files for one in self.results.values()]
        for file in self._files.union(self._watched, *of_results):
            stamp, known = _stamp(file), self._stamps.get(file)
            when = stamp[0] / 1e9 if stamp else time.time()
            if when > self._begun if known is None else known != stamp:
                changed[file] = when
            self._stamps[file] = stamp
        if not changed:
            return False
        self.saved = max((when, file) for file, when in changed.items())
        if self._files & changed.keys():
            self.pending = None
        if self.pending is None:
            return True
        self.pending |= {n for n, one in self.results.items() if one.files & changed.keys()}
        return bool(self.pending)

    @contextmanager
    def _exploring(self) -> Iterator[Connection]:
        """Explore what is pending in a process in which everything is loaded anew."""
        fork = multiprocessing.get_context("fork")
        receiving, sending = fork.Pipe(duplex=False)
        process = fork.Process(target=self._explore, args=(sending, receiving))
        with endings_held():
            process.start()
        sending.close()
        try:
            yield receiving
        finally:
            receiving.close()
            process.terminate()
            process.join(timeout=5)
            # With it go those that it has begun: on a busy machine they may still wait for work.
            assert process.pid
            process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _explore(self, connection: Connection, receiving: Connection) -> None:
        os.setpgid(0, 0)  # a group of its own, by which all of it can be ended
        receiving.close()  # so that it is known here when nobody reads any more
        end_quietly()
        try:
            for message in self._explored(connection):
                connection.send(message)
        except CommandError as error:
            connection.send(Failed(str(error), error.files | own_files(), not error.files))
        except (BreachError, UnknownCallError, TooManyStatesError) as error:
            connection.send(Failed(str(error)))
        except BrokenPipeError:
            os._exit(1)  # nobody watches any more

    def _explored(self, connection: Connection) -> Iterator[Message]:
        forget_own_modules()
        exploration, release = load(self.origin)
        chosen = choose(exploration, self.names)
        handlers = release.files(one.name for one in exploration.app.functions)
        loaded = Loaded([one.name for one in chosen], own_files(), handlers)
        yield loaded
        self._note(loaded)
        # The cheapest first: most mistakes show in any scenario.
        wanted = [one for one in reversed(chosen) if one.name in (self.pending or ())]
        for result in explore_all(
            exploration,
            release,
            wanted,
            self.processes,
            self.limit,
            lambda states: connection.send(Seen(states)),
        ):
            self._note(result)
            yield result
        yield Done(untaken(exploration, list(self.results.values())))


def _receive(connection: Connection) -> Message:
    try:
        message: Message = connection.recv()
    except EOFError:
        message = Failed("The exploration ended without a result: was it out of memory?")
    return message


def _stamp(file: Path) -> tuple[int, ...]:
    """Return what differs when a file was saved; nothing for one that is not there."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino

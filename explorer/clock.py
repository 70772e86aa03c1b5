"""The clock, the ids and the chance of a run: the same each time that the run is repeated."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import selectors
import time
import uuid
from collections.abc import Callable
from typing import Any

from time_machine import Traveller, travel

SECOND = 1_000_000_000  # in nanoseconds


class Source:
    """The time, the ids and the chance that one run has.

    seed: what ids and chance are made of; it is read when the first of them is asked for.
    began, ended: when the run begins, and when its function's time is over, in nanoseconds.
    on_late: called when the run sleeps for longer than that; it raises.
    """

    def __init__(
        self, seed: object, began: int, seconds: float, on_late: Callable[[], None]
    ) -> None:
        self.began = self.now = began
        self.ended = began + int(seconds * SECOND)
        self._seed, self._on_late = seed, on_late
        self._digest = b""
        self._count = 0
        self._chance: random.Random | None = None
        self.traveller: Traveller | None = None

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.now += int(seconds * SECOND)
        if self.traveller:
            self.traveller.shift(seconds)
        if self.now > self.ended:
            self._on_late()

    def urandom(self, size: int) -> bytes:
        """Return so many bytes, others each time."""
        if not self._digest:
            text = json.dumps(self._seed, sort_keys=True, default=repr)
            self._digest = hashlib.sha256(text.encode()).digest()
        self._count += 1
        return hashlib.shake_128(self._digest + self._count.to_bytes(8)).digest(size)

    @property
    def chance(self) -> random.Random:
        """Return what the functions of the module `random` draw from."""
        if self._chance is None:
            self._chance = _Random(int.from_bytes(self.urandom(8)))
        return self._chance


class Clock:
    """Sets the process to the source of a run, and back."""

    def __init__(self) -> None:
        self._travel = travel(0, tick=False)
        # datetime.now() without a zone is local time, and that of Lambda is UTC.
        self._is_utc = time.timezone == 0 and not time.daylight
        self._zone: str | None = None
        self._before: list[dict[str, Any]] = []

    def enter(self, source: Source) -> None:
        """Begin a run."""
        global _source
        self._travel.destination_timestamp_ns = source.now
        source.traveller = self._travel.start()
        self._before = [{name: module[name] for name in ours} for module, ours in _PATCHES]
        for module, ours in _PATCHES:
            module.update(ours)
        if not self._is_utc:
            self._zone = os.environ.get("TZ")
            os.putenv("TZ", "UTC")
            time.tzset()
        _source = source

    def leave(self) -> None:
        """End it, once the environment is that of the process again."""
        global _source
        _source = None
        if not self._is_utc:
            os.unsetenv("TZ") if self._zone is None else os.putenv("TZ", self._zone)
            time.tzset()
        for (module, _), before in zip(_PATCHES, self._before, strict=True):
            module.update(before)
        self._travel.stop()


_source: Source | None = None


def _in_run(real: Any, ours: Callable[[Source], Any]) -> Callable[..., Any]:
    """Return a function that is `ours` in a run, and real for who kept it until after that."""

    @functools.wraps(real)
    def either(*args: Any, **kwargs: Any) -> Any:
        return (ours(_source) if _source else real)(*args, **kwargs)

    return either


def _drawn(method: str) -> Callable[..., Any]:
    return _in_run(getattr(random, method), lambda source: getattr(source.chance, method))


class _Random(random.Random):
    """A generator that takes its seed from the run, where it is given none."""

    def seed(self, a: Any = None, version: int = 2) -> None:
        if a is None and _source:
            a = int.from_bytes(_source.urandom(8))
        super().seed(a, version)


class _Selector(selectors.DefaultSelector):
    """What asyncio waits with: it lets the time of the run pass at once."""

    def select(self, timeout: float | None = None) -> Any:
        if not _source:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("the handler awaits what nothing in its run can bring about")
            # A loop waits until the time is past, and a float of seconds since 1970 is coarse.
            _source.sleep(max(timeout, 1e-6))
        return ready


_urandom = _in_run(os.urandom, lambda source: source.urandom)
_TIMES = ("monotonic", "perf_counter", "process_time", "thread_time")
_PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        vars(time),
        {
            "sleep": _in_run(time.sleep, lambda source: source.sleep),
            **{
                name: _in_run(getattr(time, name), lambda source: lambda: source.now / SECOND)
                for name in _TIMES
            },
            **{
                f"{name}_ns": _in_run(
                    getattr(time, f"{name}_ns"), lambda source: lambda: source.now
                )
                for name in _TIMES
            },
        },
    ),
    (vars(os), {"urandom": _urandom}),
    (
        vars(random),
        {
            "_urandom": _urandom,
            "Random": _Random,
            **{
                name: _drawn(name)
                for name in random.__all__
                if not isinstance(getattr(random, name), type)
            },
        },
    ),
    (vars(selectors), {"DefaultSelector": _Selector}),
    (vars(uuid), {"_node": 0x02_00_00_00_00_01}),  # uuid1 would look for that of the machine
]

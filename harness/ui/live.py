"""Keep the picture up to date, and tell everyone who looks at the page what changes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from harness import environment
from harness.trouble import Trouble
from harness.ui.connection import Around, Connection
from harness.ui.watch import Change, Timeline, Watch

LISTEN_SECONDS = 1  # for so long one look into the tap waits
TELL_SECONDS = 0.1  # what changes within this is told together
LOOK_SECONDS = 0.25
AROUND_SECONDS = 2.0  # what is around the orders is read not more often than this,
AROUND_IDLE_SECONDS = 10.0  # and when nothing happens, as seldom as this
AGAIN_SECONDS = 1.0  # when there is no environment
BEAT_SECONDS = 5.0  # a page that hears nothing for longer knows that it is alone
ASKED_AT_ONCE = 4
UNTOLD = 100  # messages that a page may be behind before it has to begin anew

GONE = (BotoCoreError, ClientError, Trouble)


class Told(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message to the page: `whole` replaces all that it had."""

    whole: bool = False
    is_there: bool | None = None  # the environment
    api_url: str | None = None
    overdue_seconds: float | None = None
    change: Change | None = None
    around: Around | None = None


class Live:
    """The picture of what runs under a home, also when that goes away and comes back."""

    def __init__(self, home: Path, overdue_seconds: float) -> None:
        self._home, self._overdue_seconds = home, overdue_seconds
        self._connection: Connection | None = None
        self._is_there = False
        self._around = Around()
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._news, self._around_is_stale = asyncio.Event(), asyncio.Event()
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.watch = self._new_watch()

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the environment meanwhile."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            loops = [self._follow(), self._look(), self._ask(), self._read_around(), self._tell()]
            running = [tasks.create_task(one) for one in loops]
            yield
            for task in running:
                task.cancel()

    def close(self) -> None:
        """Leave nothing in the environment; to be called when nothing follows it any more."""
        if self._connection:
            self._connection.close()

    def hang_up(self) -> None:
        """End every page's stream; may be called from anywhere."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_streams)

    @property
    def connection(self) -> Connection:
        """Answer the connection to what runs; raises Trouble when nothing does."""
        if self._connection is None or not self._is_there:
            raise Trouble("No environment is running: start one with `saga up` (or `make up`).")
        return self._connection

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield server-sent events: everything at first, then what changes."""
        untold: asyncio.Queue[bytes | None] = asyncio.Queue(UNTOLD)
        self._listeners.add(untold)
        self._around_is_stale.set()
        try:
            yield b"retry: 1000\n\n" + self._message(self._whole())
            while True:
                try:
                    message = await asyncio.wait_for(untold.get(), BEAT_SECONDS)
                except TimeoutError:
                    message = b"event: beat\ndata:\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._listeners.discard(untold)

    async def timeline(self, order_id: str) -> Timeline:
        """Answer all that is known of an order; raises Trouble when that is nothing."""
        if not self.watch.knows_all(order_id):
            await self._ask_about(order_id)
        timeline = self.watch.timeline(order_id)
        if timeline is None:
            raise Trouble(f"No event of order {order_id} was seen, and the orders' API has none.")
        return timeline

    def surroundings_changed(self) -> None:
        """Read what is around the orders at the next turn."""
        self._around_is_stale.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(*GONE):
                connection = await asyncio.to_thread(self._connect)
                if connection is not self._connection:
                    self._begin_with(connection)
                self._set_there(is_there=True)
                await self._listen(connection)
            self._set_there(is_there=False)
            await asyncio.sleep(AGAIN_SECONDS)

    def _connect(self) -> Connection:
        """Answer a connection to what runs now, the one that we have if it is to that."""
        running = environment.require(self._home)
        if self._connection and self._connection.is_to(running):
            return self._connection
        return Connection(running)

    def _begin_with(self, connection: Connection) -> None:
        """Begin anew: an environment that is new knows none of the old one's orders."""
        self._connection = connection
        self.watch, self._around = self._new_watch(), Around()
        self._around_is_stale.set()
        self._send(self._whole())

    async def _listen(self, connection: Connection) -> None:
        while True:
            for crossing in await asyncio.to_thread(connection.tap.receive, LISTEN_SECONDS):
                self.watch.heard(crossing)
                self._around_is_stale.set()
                self._news.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.watch.look(_now())
            self._news.set()

    async def _ask(self) -> None:
        """Ask the orders' door about orders of which the bus does not tell more."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_there:
                due = self.watch.to_ask_about(_now(), ASKED_AT_ONCE)
                await asyncio.gather(*map(self._ask_about, due))

    async def _ask_about(self, order_id: str) -> None:
        watch = self.watch
        try:
            record = await asyncio.to_thread(self.connection.record, order_id)
            watch.recorded(order_id, record, _now())
        except Trouble as trouble:
            watch.unrecorded(order_id, str(trouble), _now())
        self._around_is_stale.set()
        self._news.set()

    async def _read_around(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._around_is_stale.wait(), AROUND_IDLE_SECONDS)
            self._around_is_stale.clear()
            if not (self._listeners and self._is_there and self._connection):
                continue
            with contextlib.suppress(*GONE):
                around = await asyncio.to_thread(self._connection.around, self.watch.skus)
                if around != self._around:
                    self._around = around
                    self._send(Told(around=around))
            await asyncio.sleep(AROUND_SECONDS)

    async def _tell(self) -> None:
        """Tell at once what happens after a quiet while; in a burst, in turns."""
        while True:
            await self._news.wait()
            self._news.clear()
            if change := self.watch.take():
                self._send(Told(change=change))
                await asyncio.sleep(TELL_SECONDS)

    def _set_there(self, *, is_there: bool) -> None:
        if is_there != self._is_there:
            self._is_there = is_there
            self._around_is_stale.set()
            self._send(Told(is_there=is_there, api_url=self._api_url()))

    def _api_url(self) -> str | None:
        return self._connection.environment.api_url if self._connection else None

    def _whole(self) -> Told:
        return Told(
            whole=True,
            is_there=self._is_there,
            api_url=self._api_url(),
            overdue_seconds=self._overdue_seconds,
            change=self.watch.everything(),
            around=self._around,
        )

    def _send(self, told: Told) -> None:
        self._number += 1
        message = self._message(told)
        for untold in list(self._listeners):
            try:
                untold.put_nowait(message)
            except asyncio.QueueFull:
                # It does not keep up: it begins anew, with everything, when it comes back.
                self._hang_up_on(untold)

    def _message(self, told: Told) -> bytes:
        return b"id: %d\ndata: %s\n\n" % (self._number, msgspec.json.encode(told))

    def _end_streams(self) -> None:
        for untold in list(self._listeners):
            self._hang_up_on(untold)

    def _hang_up_on(self, untold: asyncio.Queue[bytes | None]) -> None:
        self._listeners.discard(untold)
        while not untold.empty():
            untold.get_nowait()
        untold.put_nowait(None)

    def _new_watch(self) -> Watch:
        return Watch(round(self._overdue_seconds * 1000))


def _now() -> int:
    return time.time_ns() // 1_000_000

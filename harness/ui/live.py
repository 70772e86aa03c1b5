"""Keep the view of the orders up to date, and send every open page what changes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from harness import environment, flow
from harness.errors import UserError
from harness.ui.connection import Connection, EnvironmentStatus
from harness.ui.watch import Change, Timeline, Watch

RECEIVE_SECONDS = 1  # one receive from the tap waits at most so long
SEND_SECONDS = 0.1  # changes within this time are sent together
LOOK_SECONDS = 0.25
STATUS_SECONDS = 2.0  # the environment's status is read not more often than this,
STATUS_IDLE_SECONDS = 10.0  # and when nothing happens, as rarely as this
AGAIN_SECONDS = 1.0  # when there is no environment
BEAT_SECONDS = 5.0  # a page that receives nothing for longer knows that it is disconnected
ASKED_AT_ONCE = 4
MAX_UNSENT = 100  # messages that a page may be behind before it has to start again

GONE = (BotoCoreError, ClientError, UserError)


class PageUpdate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message to the page: a `whole` one replaces everything that it had."""

    whole: bool = False
    is_there: bool | None = None  # the environment
    api_url: str | None = None
    overdue_seconds: float | None = None
    change: Change | None = None
    environment: EnvironmentStatus | None = None


class Live:
    """The view of the environment under a home, also when that goes away and comes back."""

    def __init__(self, home: Path, prefix: str, overdue_seconds: float) -> None:
        self._prefix = prefix
        self._home, self._overdue_seconds = home, overdue_seconds
        self._connection: Connection | None = None
        self._is_there = False
        self._status = EnvironmentStatus()
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._news, self._status_is_stale = asyncio.Event(), asyncio.Event()
        self._number = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.watch = self._new_watch()

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the environment meanwhile."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            loops = [
                self._follow(),
                self._look(),
                self._ask(),
                self._read_status(),
                self._send_changes(),
            ]
            running = [tasks.create_task(one) for one in loops]
            yield
            for task in running:
                task.cancel()

    def close(self) -> None:
        """Leave nothing in the environment; call it when nothing follows it any more."""
        if self._connection:
            self._connection.close()

    def hang_up(self) -> None:
        """End every page's stream; may be called from anywhere."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end_streams)

    @property
    def connection(self) -> Connection:
        """Return the connection to what runs; raises UserError when nothing does."""
        if self._connection is None or not self._is_there:
            raise UserError("No environment is running: start one with `saga up` (or `make up`).")
        return self._connection

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield server-sent events: everything at first, then what changes."""
        unsent: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_UNSENT)
        self._listeners.add(unsent)
        self._status_is_stale.set()
        try:
            yield b"retry: 1000\n\n" + self._message(self._whole())
            while True:
                try:
                    message = await asyncio.wait_for(unsent.get(), BEAT_SECONDS)
                except TimeoutError:
                    message = b"event: beat\ndata:\n\n"
                if message is None:
                    return
                yield message
        finally:
            self._listeners.discard(unsent)

    async def timeline(self, order_id: str) -> Timeline:
        """Return what is known of an order; raises UserError when that is nothing."""
        if not self.watch.knows_all(order_id):
            await self._ask_about(order_id)
        timeline = self.watch.timeline(order_id)
        if timeline is None:
            raise UserError(f"No event of order {order_id} was seen, and the orders' API has none.")
        return timeline

    def status_changed(self) -> None:
        """Read the environment's status at the next turn."""
        self._status_is_stale.set()

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
        """Return a connection to what runs now, the one that we have if it is to that."""
        running = environment.require(self._home, self._prefix)
        if self._connection and self._connection.is_to(running):
            return self._connection
        return Connection(running)

    def _begin_with(self, connection: Connection) -> None:
        """Start again: a new environment has none of the old one's orders."""
        self._connection = connection
        self.watch, self._status = self._new_watch(), EnvironmentStatus()
        self._status_is_stale.set()
        self._send(self._whole())

    async def _listen(self, connection: Connection) -> None:
        while True:
            for observed in await asyncio.to_thread(connection.tap.receive, RECEIVE_SECONDS):
                self.watch.observe(observed)
                self._status_is_stale.set()
                self._news.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.watch.look(_now())
            self._news.set()

    async def _ask(self) -> None:
        """Ask the orders' API about orders for which no further event is expected."""
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
        except UserError as error:
            watch.unrecorded(order_id, str(error), _now())
        self._status_is_stale.set()
        self._news.set()

    async def _read_status(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._status_is_stale.wait(), STATUS_IDLE_SECONDS)
            self._status_is_stale.clear()
            if not (self._listeners and self._is_there and self._connection):
                continue
            with contextlib.suppress(*GONE):
                status = await asyncio.to_thread(self._connection.status, self.watch.skus)
                if status != self._status:
                    self._status = status
                    self._send(PageUpdate(environment=status))
            await asyncio.sleep(STATUS_SECONDS)

    async def _send_changes(self) -> None:
        """Send at once what happens after a quiet time; in a burst, in turns."""
        while True:
            await self._news.wait()
            self._news.clear()
            if change := self.watch.take():
                self._send(PageUpdate(change=change))
                await asyncio.sleep(SEND_SECONDS)

    def _set_there(self, *, is_there: bool) -> None:
        if is_there != self._is_there:
            self._is_there = is_there
            self._status_is_stale.set()
            self._send(PageUpdate(is_there=is_there, api_url=self._api_url()))

    def _api_url(self) -> str | None:
        return self._connection.environment.api_url if self._connection else None

    def _whole(self) -> PageUpdate:
        return PageUpdate(
            whole=True,
            is_there=self._is_there,
            api_url=self._api_url(),
            overdue_seconds=self._overdue_seconds,
            change=self.watch.everything(),
            environment=self._status,
        )

    def _send(self, update: PageUpdate) -> None:
        self._number += 1
        message = self._message(update)
        for unsent in list(self._listeners):
            try:
                unsent.put_nowait(message)
            except asyncio.QueueFull:
                # It does not keep up: it starts again, with everything, when it reconnects.
                self._hang_up_on(unsent)

    def _message(self, update: PageUpdate) -> bytes:
        return b"id: %d\ndata: %s\n\n" % (self._number, msgspec.json.encode(update))

    def _end_streams(self) -> None:
        for unsent in list(self._listeners):
            self._hang_up_on(unsent)

    def _hang_up_on(self, unsent: asyncio.Queue[bytes | None]) -> None:
        self._listeners.discard(unsent)
        while not unsent.empty():
            unsent.get_nowait()
        unsent.put_nowait(None)

    def _new_watch(self) -> Watch:
        return Watch(flow.load(), round(self._overdue_seconds * 1000))


def _now() -> int:
    return time.time_ns() // 1_000_000

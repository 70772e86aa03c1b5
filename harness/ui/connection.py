"""What the page has of one environment: its tap on the bus, and the doors it may knock at."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness import environment
from harness.bus import Bus
from harness.deploy import session, stack_name
from harness.environment import SHELVES, Clients, Environment
from harness.failures import Message, hold
from harness.orders import SCENARIOS, Orders
from harness.resume import resume_all
from harness.trouble import Trouble
from harness.ui import ways
from plumbing.publish import Entry

# An environment that went away refuses at once: trying again is for the one who waits for it.
CONFIG = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 1})
BURST, AT_ONCE = 50, 16
# Of ten orders of a burst, six are shipped, two are declined, and two find nothing on the shelf.
MIX = ("happy", "happy", "declined", "happy", "out-of-stock") * 2


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is around the orders: units per SKU, events that failed and wait, who hears nothing."""

    stock: dict[str, int | None] = {}
    failures: dict[str, int] = {}
    stopped: list[str] = []


class Connection:
    """One environment, listened to. Its methods wait for answers: call them in a thread."""

    def __init__(self, running: Environment) -> None:
        self.environment = running
        self._bus = Bus(running.endpoint, CONFIG)
        self._sqs = session().client("sqs", endpoint_url=running.endpoint, config=CONFIG)
        self._lambda = session().client("lambda", endpoint_url=running.endpoint)
        self._stock = running.stock
        self._orders = Orders(running.api_url)
        self._queues: dict[str, str] = {}
        self._stopped: set[str] = set()
        self._switching, self._holding = threading.Lock(), threading.Lock()
        self.tap = self._bus.tap()

    @classmethod
    def to(cls, home: Path) -> Connection:
        """Connect to what runs under this home; raises Trouble when nothing does."""
        return cls(environment.require(home))

    def is_to(self, running: Environment) -> bool:
        """Tell whether this is that environment, and is listened to still."""
        return self.environment == running and self.tap.is_there()

    def close(self) -> None:
        """Leave nothing: no tap, and no service that hears nothing because of us."""
        for service in list(self._stopped):
            with contextlib.suppress(BotoCoreError, ClientError):
                self.switch(service, hears=True)
        self.tap.remove()
        self._orders.close()

    def record(self, order_id: str) -> dict[str, Any]:
        """Ask the orders' API; raises Trouble when it answers no record."""
        try:
            UUID(order_id)
        except ValueError as error:
            raise Trouble("That is not the id of an order.") from error
        return self._orders.find(order_id)

    def around(self, skus: Sequence[str]) -> Around:
        """Read what is around the orders: each SKU by its key, each queue's count, the rules."""
        hearing = self._bus.hearing()
        return Around(
            stock={sku: self._stock.units(sku) for sku in dict.fromkeys([*SHELVES, *skus])},
            failures={service: self._waiting(service) for service in ways.HEARERS},
            stopped=[one for one in ways.HEARERS if stack_name(one) not in hearing],
        )

    def place(self, scenario: str) -> str:
        """Place one order; answers its id."""
        if scenario not in SCENARIOS:
            raise Trouble(f"There is no scenario {scenario}: name one of {', '.join(SCENARIOS)}.")
        return self._orders.place(SCENARIOS[scenario])

    def burst(self) -> int:
        """Place many orders at once; answers how many."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return len(list(pool.map(self.place, MIX * (BURST // len(MIX)))))

    def say(self, entry: Entry) -> None:
        """Say an event on the bus, to the byte as it is given."""
        self._bus.say(entry)

    def switch(self, service: str, *, hears: bool) -> None:
        """Let a service hear its events or nothing."""
        if service not in ways.HEARERS:
            raise Trouble(f"{service} hears no event: name one of {', '.join(ways.HEARERS)}.")
        with self._switching:
            self._bus.hears(service, hears=hears)
            (self._stopped.discard if hears else self._stopped.add)(service)

    def resume(self) -> tuple[int, int]:
        """Say again what was last said of every open order; answers of how many, of how many."""
        reports = list(resume_all(self._lambda))
        return sum(one["resumedOrders"] for one in reports), reports[0]["overdueOrders"]

    def failures(self) -> tuple[list[Message], bool]:
        """Read what waits in the failure queues; answers that, and whether it is all."""
        with self._holding, hold(self._clients(), ways.HEARERS) as held:
            return held.messages, held.read_all and not held.elsewhere

    def redrive(self) -> tuple[int, int]:
        """Give to its service again what failed and is no poison; answers how many, and stayed."""
        with self._holding, hold(self._clients(), ways.HEARERS) as held:
            messages = held.messages
            transient = [one for one in messages if one.failure.kind == "transient"]
            put_back = 0
            for message in transient:
                if held.is_over:
                    break
                held.put_back(message)
                put_back += 1
        return put_back, len(messages) - put_back

    def _clients(self) -> Clients:
        return Clients(session(), self.environment.endpoint)

    def _waiting(self, service: str) -> int:
        """Answer about how many events wait in a service's failure queue, read or not."""
        if service not in self._queues:
            found = self._sqs.get_queue_url(QueueName=f"{stack_name(service)}-failures")
            self._queues[service] = found["QueueUrl"]
        counted = self._sqs.get_queue_attributes(
            QueueUrl=self._queues[service],
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
        return sum(int(count) for count in counted["Attributes"].values())

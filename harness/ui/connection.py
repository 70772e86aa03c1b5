"""One environment as the page uses it: a tap on the bus, and what the buttons do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from harness import environment, flow
from harness.bus import Bus
from harness.connect import ONE_RUN, session
from harness.environment import Clients, Environment
from harness.errors import UserError
from harness.failures import Message, lease
from harness.names import PREFIX, stack_name
from harness.orders import SCENARIOS, Orders
from harness.redrive import Redriven, redrive
from harness.resume import resume_all
from harness.stock import SEED_STOCK
from plumbing.outbox import OutboxEvent

# An environment that has gone refuses at once: the caller retries, not the client.
CONFIG = Config(connect_timeout=2, read_timeout=30, retries={"total_max_attempts": 1})
BURST, AT_ONCE = 50, 16
# Of ten orders of a burst, six are shipped, two are declined, and two find no stock.
MIX = ("happy", "happy", "declined", "happy", "out-of-stock") * 2


class EnvironmentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Units per SKU, messages per failure queue, and the services whose rule is disabled."""

    stock: dict[str, int | None] = {}
    failures: dict[str, int] = {}
    stopped: list[str] = []


class Connection:
    """One environment, with a tap on its bus. Its methods block: call them in a thread."""

    def __init__(self, running: Environment) -> None:
        self.environment = running
        self._bus = Bus(running.endpoint, CONFIG, running.prefix)
        self._consumers = flow.load().consumers
        self._sqs = session().client("sqs", endpoint_url=running.endpoint, config=CONFIG)
        self._lambda = session().client("lambda", endpoint_url=running.endpoint, config=ONE_RUN)
        self._stock = running.stock
        self._orders = Orders(running.api_url)
        self._queues: dict[str, str] = {}
        self._stopped: set[str] = set()
        self._switching, self._leasing = threading.Lock(), threading.Lock()
        self.tap = self._bus.tap()

    @classmethod
    def to(cls, home: Path, prefix: str = PREFIX) -> Connection:
        """Connect to what runs under this home; raises UserError when nothing does."""
        return cls(environment.require(home, prefix))

    def is_to(self, running: Environment) -> bool:
        """Return whether this is that environment, and its tap still exists."""
        return self.environment == running and self.tap.is_there()

    def close(self) -> None:
        """Leave nothing: no tap, and no service disabled by this page."""
        for service in list(self._stopped):
            with contextlib.suppress(BotoCoreError, ClientError):
                self.switch(service, on=True)
        self.tap.remove()
        self._orders.close()

    def record(self, order_id: str) -> dict[str, Any]:
        """Return the record of the orders' API; raises UserError when it has none."""
        return self._orders.find(order_id)

    def status(self, skus: Sequence[str]) -> EnvironmentStatus:
        """Read the units of each SKU, the count of each queue, and the rules."""
        consuming = self._bus.consuming()
        return EnvironmentStatus(
            stock={sku: self._stock.units(sku) for sku in dict.fromkeys([*SEED_STOCK, *skus])},
            failures={service: self._waiting(service) for service in self._consumers},
            stopped=[one for one in self._consumers if self._name(one) not in consuming],
        )

    def place(self, scenario: str) -> str:
        """Place one order; return its id."""
        if scenario not in SCENARIOS:
            raise UserError(f"There is no scenario {scenario}: name one of {', '.join(SCENARIOS)}.")
        return self._orders.place(SCENARIOS[scenario])

    def burst(self) -> int:
        """Place many orders at once; return how many."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return len(list(pool.map(self.place, MIX * (BURST // len(MIX)))))

    def publish(self, event: OutboxEvent) -> None:
        """Publish an event, byte for byte as it is given."""
        self._bus.publish(event)

    def switch(self, service: str, *, on: bool) -> None:
        """Enable or disable a service's rule."""
        if service not in self._consumers:
            raise UserError(
                f"{service} consumes no event: name one of {', '.join(self._consumers)}."
            )
        with self._switching:
            self._bus.set_consuming(service, on=on)
            (self._stopped.discard if on else self._stopped.add)(service)

    def resume(self) -> int:
        """Resume every open order; return how many were resumed."""
        reports = resume_all(self._lambda, self.environment.prefix)
        return sum(one["resumedOrders"] for one in reports)

    def failures(self) -> tuple[list[Message], bool]:
        """Read the failure queues; return the messages, and whether these are all."""
        with self._leasing, lease(self._clients(), self._consumers) as leased:
            return leased.messages, leased.read_all and not leased.elsewhere

    def redrive(self) -> list[Redriven]:
        """Redrive the failure queues; return what became of each message."""
        with self._leasing, lease(self._clients(), self._consumers) as leased:
            return list(redrive(leased))

    def _clients(self) -> Clients:
        return Clients(session(), self.environment.endpoint, self.environment.prefix)

    def _name(self, service: str) -> str:
        return stack_name(service, self.environment.prefix)

    def _waiting(self, service: str) -> int:
        """Return about how many messages a service's failure queue has, leased or not."""
        if service not in self._queues:
            found = self._sqs.get_queue_url(QueueName=f"{self._name(service)}-failures")
            self._queues[service] = found["QueueUrl"]
        counted = self._sqs.get_queue_attributes(
            QueueUrl=self._queues[service],
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )
        return sum(int(count) for count in counted["Attributes"].values())

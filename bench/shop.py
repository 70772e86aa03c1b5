"""A contestant's flow on an emulator of its own, deployed from the saga's templates."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from boto3.dynamodb.types import TypeDeserializer

from bench.contestants import FILES, FIVE, IDEMPOTENCY_TABLE, Contestant, Report
from harness import deploy, emulator
from harness.connect import session
from harness.emulator import Emulator
from harness.environment import HOME, Clients
from harness.errors import UserError
from harness.names import PLATFORM, PREFIX, stack_name
from harness.orders import Request
from harness.saga import FINAL
from harness.stock import SEED_STOCK, Stock

ORDERS_TABLE = f"{PREFIX}-orders"
SWEEP = "resume_orders"
WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.01


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An order at its end: its status, and the milliseconds from POST to there.

    The end is when the last write of the order was about to be made, from that write: no
    polling is in it, and not the few milliseconds of the write itself, for none of the contestants.
    """

    status: str
    took_ms: float


class Shop:
    """A running flow, to place orders with."""

    def __init__(self, contestant: Contestant, started: Emulator) -> None:
        self.contestant, self.emulator, self.endpoint = contestant, started, started.url
        self.dynamodb: Any = session().client("dynamodb", endpoint_url=started.url)
        self.functions: Any = session().client("lambda", endpoint_url=started.url)
        self.logs: Any = session().client("logs", endpoint_url=started.url)
        self._http = httpx.Client(timeout=60, headers={"Content-Type": "application/json"})

    def deploy(self, environment: Mapping[str, str] | None = None) -> None:
        """Deploy the contestant's functions, with this environment too."""

        def package(service: str, _: Path) -> bytes:
            return self.contestant.zipped(service, environment or {})

        assembly = deploy.synthesize(HOME)
        for stack in [PLATFORM, *map(stack_name, self.services)]:
            deploy.deploy(self.endpoint, assembly, stack, package=package)
        self._http.base_url = deploy.api_url(self.endpoint)
        if SWEEP in self.services:
            self._stop_schedule()

    @property
    def services(self) -> Sequence[str]:
        """The functions that the contestant has; the saga has one that looks for stuck orders."""
        has_sweep = self.contestant.name.startswith("saga")
        return (*FIVE, SWEEP) if has_sweep else FIVE

    def _stop_schedule(self) -> None:
        """Let the sweep run when it is measured, and not by itself amid what is counted."""
        scheduler: Any = session().client("scheduler", endpoint_url=self.endpoint)
        schedule = scheduler.get_schedule(Name=stack_name(SWEEP))
        kept = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
        scheduler.update_schedule(
            Name=stack_name(SWEEP), State="DISABLED", **{name: schedule[name] for name in kept}
        )

    def provision(self) -> None:
        """Add the seed stock, and make the table of the contestant that needs one more."""
        Stock(Clients(session(), self.endpoint)).seed({**SEED_STOCK, "COFFEE": 10**9})
        self.dynamodb.create_table(
            TableName=IDEMPOTENCY_TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def place(self, order: Request) -> tuple[str, float]:
        """Place an order; return its id, and the time of day before."""
        began = time.time()
        response = self._http.post("/orders", content=msgspec.json.encode(order))
        if response.status_code != httpx.codes.ACCEPTED:
            raise UserError(f"{self.contestant.title} refuses an order: {response.text[:200]}")
        return str(response.json()["orderId"]), began

    def wait_for(self, order_id: str, began: float) -> Ended:
        """Wait until an order has ended; raises UserError when it does not."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (item := self.stored(order_id)).get("status") not in FINAL:
            if time.monotonic() > deadline:
                raise UserError(f"An order of {self.contestant.title} does not end: {item}")
            time.sleep(LOOK_SECONDS)
        at = item["history"][-1]["at"] if "history" in item else item["updatedAt"]
        ended = datetime.fromisoformat(at).timestamp()
        return Ended(status=item["status"], took_ms=1000 * (ended - began))

    def run(self, order: Request) -> Ended:
        """Place an order and wait for its end."""
        return self.wait_for(*self.place(order))

    def stored(self, order_id: str) -> dict[str, Any]:
        """Return what is stored of an order; an empty item when there is none yet."""
        response = self.dynamodb.get_item(
            TableName=ORDERS_TABLE, Key={"orderId": {"S": order_id}}, ConsistentRead=True
        )
        deserialize = TypeDeserializer().deserialize
        return {name: deserialize(value) for name, value in response.get("Item", {}).items()}

    def functions_cpu_ms(self) -> float:
        """Return the processor time that the functions' processes had so far, in milliseconds."""
        total = 0.0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                group = int((process / "stat").read_text().rpartition(")")[2].split()[2])
                if group != self.emulator.pid or int(process.name) == self.emulator.pid:
                    continue
                tasks = list((process / "task").iterdir())
                spent = [(task / "schedstat").read_text().split()[0] for task in tasks]
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
            total += sum(map(int, spent)) / 1e6
        return total


@contextmanager
def open_shop(contestant: Contestant, report: Report) -> Iterator[Shop]:
    """Run a contestant's flow on an emulator of its own."""
    report(f"Starting {contestant.title} on an emulator of its own")
    home = FILES / "homes" / contestant.name
    home.mkdir(parents=True, exist_ok=True)
    started = emulator.start(home, None)
    try:
        shop = Shop(contestant, started)
        shop.deploy()
        shop.provision()
        yield shop
    finally:
        emulator.stop(started)

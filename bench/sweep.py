"""What a run of the sweep takes with so many open orders: `python -m bench.sweep [--from REF]`.

The handler runs in a process of its own, on a table that makes each order when it is read: what is
measured is the handler, and not the table. There is no network: the calls are counted. All orders
are stalled, which is the worst case. `--from` also measures the release of a git ref.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
SIZES = (10**3, 10**5, 10**6)
RUNS = 3
BEGAN = datetime(2026, 1, 31, 9, tzinfo=UTC)
ITEMS_OF_A_PAGE = 10_000  # of a hundred bytes are the megabyte that DynamoDB returns at most


class Endless:
    """Clients of a table of stalled orders and of a bus; an order is made when it is read."""

    exceptions: Any = mock.Mock(ConditionalCheckFailedException=KeyError)

    def __init__(self, orders: int) -> None:
        self.orders, self.calls = orders, Counter[str]()
        self._changed: dict[str, dict[str, Any]] = {}

    def query(self, **asked: Any) -> Any:
        """Return a page of an index."""
        self.calls["Query"] += 1
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        found = self._found(asked.get("ExclusiveStartKey"), values)
        if asked["IndexName"] == "deferred":
            found = iter(())
        limit = asked.get("Limit", ITEMS_OF_A_PAGE)
        page = [item for item, _ in zip(found, range(limit), strict=False)]
        more = {"LastEvaluatedKey": page[-1]} if len(page) == limit else {}
        return {"Items": page, **more}

    def get_item(self, **asked: Any) -> Any:
        """Return an order."""
        self.calls["GetItem"] += 1
        order_id = asked["Key"]["orderId"]["S"]
        entry = {"M": {"status": {"S": "CREATED"}, "at": {"S": _created_at(_number(order_id))}}}
        event = {"source": "orders", "detailType": "OrderCreated", "detail": "{}"}
        outbox = {name: {"S": value} for name, value in event.items()}
        more = {"status": {"S": "CREATED"}, "outbox": {"M": outbox}, "history": {"L": [entry]}}
        return {"Item": {**self._key(_number(order_id)), **more}}

    def update_item(self, **asked: Any) -> Any:
        """Take what the sweep notes of an order."""
        self.calls["UpdateItem"] += 1
        values = asked["ExpressionAttributeValues"]
        noted = {name: values[f":{name}"] for name in ("openShard", "nextAttemptAt", "resumes")}
        self._changed[asked["Key"]["orderId"]["S"]] = noted
        return {}

    def put_events(self, **asked: Any) -> Any:
        """Take an event."""
        self.calls["PutEvents"] += 1
        return {"FailedEntryCount": 0, "Entries": [{} for _ in asked["Entries"]]}

    def _found(self, after: Any, values: dict[str, str]) -> Iterator[dict[str, Any]]:
        shard = values[":partition"]
        first = _number(after["orderId"]["S"]) + 16 if after else "0123456789abcdef".find(shard)
        if len(shard) > 1 or values[":low"] > _created_at(self.orders):
            return
        for number in range(first, self.orders, 16):
            key = self._key(number)
            if key["openShard"]["S"] == shard:
                yield {name: key[name] for name in key if name != "resumes"}

    def _key(self, number: int) -> dict[str, Any]:
        order_id = f"{number % 16:x}{number:07x}-0000-4000-8000-000000000000"
        key = {"orderId": {"S": order_id}, "createdAt": {"S": _created_at(number)}}
        return {**key, "openShard": {"S": order_id[0]}, **self._changed.get(order_id, {})}


def _number(order_id: str) -> int:
    return int(order_id[1:8], 16)


def _created_at(number: int) -> str:
    at = BEGAN + timedelta(milliseconds=number)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _memory() -> float:
    """Return the megabytes that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(orders: int) -> Iterator[dict[str, Any]]:
    """Run the handler of the release whose folders are on the path, some minutes one by one."""
    aws: Any = importlib.import_module("plumbing.aws")
    endless = Endless(orders)
    aws.dynamodb = aws.eventbridge = lambda: endless
    with mock.patch.dict("os.environ", EVENT_BUS_NAME="bus", ORDERS_TABLE="orders"):
        handler: Any = importlib.import_module("resume_orders.handler")
    before = _memory()
    for run in range(RUNS):
        now = BEGAN + timedelta(hours=1, minutes=run)
        handler.utc_now = lambda now=now: now
        endless.calls.clear()
        begun = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            report = handler.handle({}, None)
        yield {
            "orders": orders,
            "run": run + 1,
            "seconds": round(time.perf_counter() - begun, 2),
            "megabytes": round(_memory() - before, 1),
            "resumed": report["resumedOrders"],
            "left": report["leftOrders"],
            "calls": dict(endless.calls),
        }


def main() -> None:
    """Print what a run takes, of this release and of an earlier one."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=__doc__)
    parser.add_argument("--from", dest="since", help="also measure the release of a git ref")
    parser.add_argument("--tree", help=argparse.SUPPRESS)
    parser.add_argument("--orders", type=int, help="with so many (default: three sizes)")
    call = parser.parse_args()
    if call.tree:
        sys.path[:0] = [call.tree, f"{call.tree}/services"]
        for found in measure(call.orders):
            sys.stdout.write(json.dumps(found) + "\n")
        return
    sys.path[:0] = [str(ROOT), str(ROOT / "services")]
    releases: Any = importlib.import_module("harness.releases")
    with releases.extracted(releases.find_base(call.since)) if call.since else nullcontext() as old:
        for tree in (ROOT, old) if old else (ROOT,):
            sys.stdout.write(f"{'this release' if tree == ROOT else call.since}\n")
            for orders in [call.orders] if call.orders else SIZES:
                own = [sys.executable, "-I", str(Path(__file__)), "--tree", str(tree)]
                subprocess.run([*own, "--orders", str(orders)], check=True)


if __name__ == "__main__":
    main()

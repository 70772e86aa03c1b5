"""Many buyers of one SKU: how many orders a second its stock can be held for.

The emulator makes one write after the other and never refuses one for a conflict. So this is a
model of DynamoDB with the saga's own code before it: a transaction holds its items for
HOLD_SECONDS, and one that comes to an item that is held is refused (`TransactionConflict`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from bench.contestants import Report
from plumbing.conditional_write import Update, transact

HOLD_SECONDS = 0.01
SHARDS = 8


class TransactionCanceledException(ClientError):
    """As DynamoDB cancels a transaction."""


class ConditionalCheckFailedException(ClientError):
    """As DynamoDB refuses a write."""


class Contention(msgspec.Struct, frozen=True, kw_only=True):
    """So many buyers at once: orders held a second, conflicts per order, and orders given up."""

    buyers: int
    shards: int
    per_second: float
    conflicts_per_order: float
    given_up_per_hundred: float  # after TRIES tries: Lambda tries these again


class Held:
    """A DynamoDB that refuses transactions on items which another transaction holds."""

    class exceptions:  # noqa: N801  # as boto3's clients have it
        """The errors of this client."""

        TransactionCanceledException = TransactionCanceledException
        ConditionalCheckFailedException = ConditionalCheckFailedException

    def __init__(self) -> None:
        self.conflicts = 0
        self._held: set[str] = set()
        self._lock = threading.Lock()

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
        """Make all writes or none."""
        keys = {str(item["Update"]["Key"]) for item in TransactItems}
        with self._lock:
            refused = bool(self._held & keys)
            self.conflicts += refused
            self._held |= set() if refused else keys
        if refused:
            raise TransactionCanceledException(
                {
                    "Error": {"Code": "TransactionCanceledException", "Message": "conflict"},
                    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
                },
                "TransactWriteItems",
            )
        time.sleep(HOLD_SECONDS)
        with self._lock:
            self._held -= keys
        return {}


def measure(buyers: Sequence[int], seconds: float, report: Report) -> list[Contention]:
    """Let so many buyers order without a pause, on one stock item and on several."""
    found = []
    for shards in (1, SHARDS):
        for count in buyers:
            report(f"{count} buyers of one SKU, its stock in {shards} items")
            found.append(_measure(count, shards, seconds))
    return found


def _measure(buyers: int, shards: int, seconds: float) -> Contention:
    client: Any = Held()
    made, given_up = [0] * buyers, [0] * buyers
    ends = time.monotonic() + seconds

    def buy(buyer: int) -> None:
        while time.monotonic() < ends:
            order = _update("orders", f"{buyer}-{made[buyer]}-{given_up[buyer]}")
            stock = _update("inventory", f"COFFEE-{random.randrange(shards)}")
            try:
                transact(client, [order, stock])
                made[buyer] += 1
            except TransactionCanceledException:
                given_up[buyer] += 1

    threads = [threading.Thread(target=buy, args=(buyer,)) for buyer in range(buyers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = sum(made) + sum(given_up)
    return Contention(
        buyers=buyers,
        shards=shards,
        per_second=sum(made) / seconds,
        conflicts_per_order=client.conflicts / asked,
        given_up_per_hundred=100 * sum(given_up) / asked,
    )


def _update(table: str, key: str) -> Update:
    return Update(
        table=table,
        key={"key": key},
        change="SET #available = #available - :units",
        condition="#available >= :units",
        names={"#available": "available"},
        values={":units": 1},
    )

"""DynamoDB in memory responds as the emulator's does to the calls that this saga makes."""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec import to_builtins

from explorer.app import Table
from harness.connect import session
from harness.environment import Environment
from plumbing.conditional_write import Update, put_new, query, read, write
from plumbing.event import digest_of
from plumbing.outbox import EventMismatchError, OutboxEvent
from plumbing.step import (
    OthersRefused,
    Transition,
    attempt,
    format_timestamp,
    history_entry,
    open_index_key,
)
from tests.e2e.both import Both, create_tables
from tests.world import INDEXES

IDS = [f"{digit}0000000-0000-4000-8000-000000000000" for digit in "01a"]
SKUS = ["TEA", "COFFEE"]
STATUSES = ["CREATED", "RESERVED", "ENDED"]
DETAILS: list[dict[str, Any]] = [{"units": 1}, {"units": 2, "note": None}]
TABLES = [
    Table("memory-orders", "orderId", indexes=INDEXES),
    Table("memory-inventory", "sku"),
]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def both(saga: Environment) -> Iterator[Both]:
    client: Any = session().client("dynamodb", endpoint_url=saga.endpoint)
    create_tables(client, TABLES)
    yield Both(client, TABLES)
    for table in TABLES:
        client.delete_table(TableName=table.name)


@pytest.mark.parametrize("saga", ["processes"], indirect=True, scope="session")
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_calls_by_chance_have_the_same_results(both: Both, seed: int) -> None:
    dice, client = random.Random(seed), both
    operations = [_put, _step, _take, _together, _together, _read, _query, _defer]

    for number in range(1000):
        dice.choice(operations)(client, dice, NOON + timedelta(seconds=number))

    assert {answer for answer in both.answers if "query" not in answer} == {
        "get_item done",
        "put_item done",
        "put_item ConditionalCheckFailedException",
        "update_item done",
        "update_item ConditionalCheckFailedException",
        "transact_write_items done",
        "transact_write_items TransactionCanceledException",
    }


def _put(client: Any, dice: random.Random, now: datetime) -> None:
    if dice.random() < 0.3:
        item = {"sku": dice.choice(SKUS), "available": dice.randint(0, 5)}
        put_new(client, "memory-inventory", "sku", item)
        return
    order_id = dice.choice(IDS)
    item = {
        "orderId": order_id,
        "status": STATUSES[0],
        "quantity": dice.randint(1, 3),
        "outbox": to_builtins(_event(dice)),
        "createdAt": format_timestamp(now),
        "history": [history_entry(STATUSES[0], format_timestamp(now))],
        **open_index_key(UUID(order_id)),
    }
    put_new(client, "memory-orders", "orderId", item)


def _event(dice: random.Random) -> OutboxEvent:
    detail = dice.choice(DETAILS)
    # One in three was stored by a release without digests.
    digest = dice.choice([digest_of(detail)] * 2 + [""])
    return OutboxEvent("source", "Kind", json.dumps(detail), digest)


def _transition(dice: random.Random, now: datetime) -> Transition:
    return Transition(
        table="memory-orders",
        key={"orderId": dice.choice(IDS)},
        expected=dice.choice(STATUSES),
        consumed=dice.choice(DETAILS),
        status=dice.choice(STATUSES),
        at=now,
        adds=dice.choice([{}, {"reason": "any"}]),
        final=dice.random() < 0.3,
    )


def _units(dice: random.Random) -> Update:
    more = dice.random() < 0.5
    return Update(
        table="memory-inventory",
        key={"sku": dice.choice([*SKUS, "UNKNOWN"])},
        change=f"SET #available = #available {'+' if more else '-'} :units",
        condition="attribute_exists(#available)" if more else "#available >= :units",
        names={"#available": "available"},
        values={":units": dice.randint(1, 3)},
    )


def _step(client: Any, dice: random.Random, now: datetime) -> None:
    with suppress(EventMismatchError):
        attempt(client, _transition(dice, now), dice.choice([None, _event(dice)]))


def _take(client: Any, dice: random.Random, now: datetime) -> None:
    write(client, _units(dice))


def _together(client: Any, dice: random.Random, now: datetime) -> None:
    with suppress(EventMismatchError, OthersRefused):
        attempt(client, _transition(dice, now), dice.choice([None, _event(dice)]), _units(dice))


def _defer(client: Any, dice: random.Random, now: datetime) -> None:
    update = Update(
        table="memory-orders",
        key={"orderId": dice.choice(IDS)},
        change="SET #openShard = :openShard, #nextAttemptAt = :nextAttemptAt",
        condition="#status = :status AND attribute_exists(#openShard) AND "
        + dice.choice(["attribute_not_exists(#nextAttemptAt)", "attribute_exists(#nextAttemptAt)"]),
        names={f"#{name}": name for name in ("openShard", "nextAttemptAt", "status")},
        values={
            ":openShard": dice.choice(["0", "deferred-0", "given-up"]),
            ":nextAttemptAt": format_timestamp(now),
            ":status": dice.choice(STATUSES),
        },
    )
    write(client, update)


def _read(client: Any, dice: random.Random, now: datetime) -> None:
    read(client, "memory-orders", {"orderId": dice.choice(IDS)})


def _query(client: Any, dice: random.Random, now: datetime) -> None:
    begin, end = sorted(now - timedelta(seconds=dice.randint(0, 200)) for _ in range(2))
    index = dice.choice(list(INDEXES))
    shard = ("openShard", dice.choice(["0", "1", "a", "deferred-0", "given-up"]))
    between = (str(INDEXES[index].sort), format_timestamp(begin), format_timestamp(end))
    list(query(client, "memory-orders", index, shard, between, dice.choice([1, 2, 50])))

"""Whether an order costs more when the tables hold many."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid5

import msgspec

from bench.calls import sum_up
from bench.contestants import Report
from bench.end_to_end import HAPPY
from bench.shop import ORDERS_TABLE, SWEEP, Shop
from bench.wire import Wire
from harness.errors import UserError
from harness.names import stack_name

BATCH = 25  # the most that BatchWriteItem takes
AT_ONCE = 4
NAMES = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


class AtScale(msgspec.Struct, frozen=True, kw_only=True):
    """What a happy order, and a run of the sweep, take when so many orders are in the table."""

    orders: int
    calls: int
    write_units: int
    read_units: float
    functions_cpu_ms: float
    took_ms: float
    sweep_calls: int
    sweep_read_units: float
    sweep_ms: float


def measure(shop: Shop, sizes: Sequence[int], orders: int, report: Report) -> list[AtScale]:
    """Fill the table to each of these sizes, and measure there."""
    found = []
    order_id, began = shop.place(HAPPY)
    shop.wait_for(order_id, began)
    model = shop.dynamodb.get_item(TableName=ORDERS_TABLE, Key={"orderId": {"S": order_id}})["Item"]
    filled = 0
    for size in sizes:
        report(f"Filling the table to {size} orders")
        _fill(shop, model, filled, size)
        filled = size
        report(f"Measuring with {size} orders in the table")
        found.append(_measure(shop, size, orders))
    return found


def _measure(shop: Shop, size: int, orders: int) -> AtScale:
    for _ in range(5):
        shop.run(HAPPY)
    before = shop.functions_cpu_ms()
    took = [shop.run(HAPPY).took_ms for _ in range(orders)]
    spent = shop.functions_cpu_ms() - before
    with Wire(shop.endpoint) as wire:
        shop.deploy({"AWS_ENDPOINT_URL": wire.url})
        shop.run(HAPPY)
        wire.wait_until_quiet()
        wire.calls.clear()
        shop.run(HAPPY)
        wire.wait_until_quiet()
        order = sum_up(wire.calls)
        wire.calls.clear()
        _sweep(shop)
        sweep = sum_up(wire.calls)
        shop.deploy()
    _sweep(shop)
    return AtScale(
        orders=size,
        calls=order.calls,
        write_units=order.write_units,
        read_units=order.read_units,
        functions_cpu_ms=spent / orders,
        took_ms=statistics.median(took),
        sweep_calls=sweep.calls,
        sweep_read_units=sweep.read_units,
        sweep_ms=statistics.median(_sweep(shop) for _ in range(5)),
    )


def _sweep(shop: Shop) -> float:
    """Run the sweep; return its milliseconds."""
    began = time.perf_counter()
    response = shop.functions.invoke(FunctionName=stack_name(SWEEP), Payload=b"{}")
    took = 1000 * (time.perf_counter() - began)
    if "FunctionError" in response:
        raise UserError(f"The sweep failed: {json.loads(response['Payload'].read())}")
    return took


def _fill(shop: Shop, model: Any, filled: int, size: int) -> None:
    """Put copies of an order that has ended into the table."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda batch: _put(shop, model, batch), _batches(filled, size)))


def _batches(filled: int, size: int) -> Iterator[range]:
    for first in range(filled, size, BATCH):
        yield range(first, min(first + BATCH, size))


def _put(shop: Shop, model: Any, numbers: range) -> None:
    items = [{**model, "orderId": {"S": str(uuid5(NAMES, str(number)))}} for number in numbers]
    left: Any = {ORDERS_TABLE: [{"PutRequest": {"Item": item}} for item in items]}
    while left:
        left = shop.dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]

"""Dollars, from what was counted, the processor time that was measured, and the prices of a day.

Within: calls of AWS, the functions' time and requests, the HTTP request, log lines, the platform's
included. Not within: the sweep (the same for any number of orders), storage, alarms, free tiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.calls import PerOrder

# "Configure Lambda function memory", AWS Lambda developer guide: at 1,769 MB a function has one
# processor, and below that the share that its memory is of it.
MB_OF_A_PROCESSOR = 1769
MILLION = 1_000_000


class Assumed(msgspec.Struct, frozen=True):
    """What was not measured."""

    why: str
    dynamodb_call_ms: float
    transaction_ms: float
    put_events_ms: float
    platform_log_bytes_per_invocation: float


class Prices(msgspec.Struct, frozen=True):
    """Prices of a day, in dollars."""

    date: str
    region: str
    currency: str
    sources: list[str]
    per_million: Mapping[str, float]
    lambda_gb_second: Mapping[str, float]
    provisioned_gb_second: float
    log_gb: float
    assumed: Assumed


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars for a million orders, by what they are paid for."""

    writes: float
    reads: float
    events: float
    http: float
    requests: float
    duration: float
    logs: float

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(msgspec.structs.astuple(self)))


def read_prices() -> Prices:
    """Return the prices that the project has."""
    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=Prices)


def cost(order: PerOrder, cpu_ms: float, memory_mb: int, prices: Prices) -> Cost:
    """Return what a million such orders cost, whose functions take `cpu_ms` in all."""
    seconds = billed_ms(order, cpu_ms, memory_mb, prices) / 1000
    each = prices.per_million
    log_bytes = order.log_bytes + (
        order.invocations * prices.assumed.platform_log_bytes_per_invocation
    )
    return Cost(
        writes=order.write_units * each["dynamodb_write_unit"],
        reads=order.read_units * each["dynamodb_read_unit"],
        events=order.events * each["event"],
        http=each["http_request"],
        requests=order.invocations * each["lambda_request"],
        duration=MILLION * seconds * memory_mb / 1024 * prices.lambda_gb_second["x86_64"],
        logs=MILLION * log_bytes / 1e9 * prices.log_gb,
    )


def billed_ms(order: PerOrder, cpu_ms: float, memory_mb: int, prices: Prices) -> float:
    """Return how long the functions of an order run: they work, at their share, and wait."""
    share = min(1.0, memory_mb / MB_OF_A_PROCESSOR)
    return cpu_ms / share + waited_ms(order, prices)


def waited_ms(order: PerOrder, prices: Prices) -> float:
    """Return how long the functions of an order wait for AWS, as it is assumed."""
    assumed = prices.assumed
    waits = {"PutEvents": assumed.put_events_ms, "TransactWriteItems": assumed.transaction_ms}
    return sum(
        count * waits.get(operation, assumed.dynamodb_call_ms)
        for operation, count in order.operations.items()
    )

"""Calls of AWS, units and bytes, per order and outcome: counted on the wire, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bench.contestants import Contestant, Report
from bench.shop import Shop
from bench.wire import Call, Wire
from harness.errors import UserError
from harness.logs import NOISE, events
from harness.names import stack_name
from harness.orders import SCENARIOS
from harness.saga import PATHS

# How each scenario has to end, with every contestant: the check, so written by hand.
FINAL_STATUS = {
    "happy": "SHIPPING_SCHEDULED",
    "out-of-stock": "INVENTORY_FAILED",
    "declined": "INVENTORY_RELEASED",
}
SERVICES_OF = {
    outcome: [service for service, _ in path]
    for outcome, status in FINAL_STATUS.items()
    for path in PATHS
    if path[-1][1].to == status
}
ORDERS = 3


class PerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What one order of an outcome takes."""

    operations: Mapping[str, int]
    calls: int
    write_units: int
    read_units: float
    events: int
    invocations: int
    bytes_sent: float
    bytes_received: float
    log_lines: float
    log_bytes: float


def measure(shops: Sequence[Shop], report: Report) -> dict[str, dict[str, PerOrder]]:
    """Count what an order takes, by contestant and outcome."""
    counted = {}
    for shop in shops:
        report(f"Counting the calls of {shop.contestant.title}")
        with Wire(shop.endpoint) as wire:
            shop.deploy({"AWS_ENDPOINT_URL": wire.url})
            counted[shop.contestant.name] = {
                outcome: _per_order(shop, wire, outcome) for outcome in _outcomes(shop.contestant)
            }
            shop.deploy()
    return counted


def _outcomes(contestant: Contestant) -> Iterable[str]:
    return ("happy",) if contestant.name == "noop" else FINAL_STATUS


def _per_order(shop: Shop, wire: Wire, outcome: str) -> PerOrder:
    """Count several orders one by one; raises UserError when they differ in what is counted."""
    _run(shop, wire, outcome)  # the functions start, and log what they log at a start
    counts = []
    lines_before = _log(shop)
    for _ in range(ORDERS):
        wire.calls.clear()
        _run(shop, wire, outcome)
        counts.append(sum_up(wire.calls))
    logged = _log(shop) - lines_before
    exact = {(count.calls, count.write_units, count.read_units) for count in counts}
    if len(exact) > 1:
        raise UserError(f"Orders of {shop.contestant.title} differ in what they take: {exact}")
    return msgspec.structs.replace(
        counts[0],
        invocations=len(SERVICES_OF[outcome]),
        bytes_sent=sum(count.bytes_sent for count in counts) / ORDERS,
        bytes_received=sum(count.bytes_received for count in counts) / ORDERS,
        log_lines=logged.total() / ORDERS,
        log_bytes=sum(len(line.encode()) * times for line, times in logged.items()) / ORDERS,
    )


def sum_up(calls: Sequence[Call]) -> PerOrder:
    """Sum up the calls of one order."""
    operations = Counter(call.operation for call in calls)
    return PerOrder(
        operations=dict(sorted(operations.items())),
        calls=len(calls),
        write_units=sum(call.write_units for call in calls),
        read_units=sum(call.read_units for call in calls),
        events=sum(call.events for call in calls),
        invocations=0,
        bytes_sent=sum(call.bytes_sent for call in calls),
        bytes_received=sum(call.bytes_received for call in calls),
        log_lines=0,
        log_bytes=0,
    )


def _run(shop: Shop, wire: Wire, outcome: str) -> None:
    ended = shop.run(SCENARIOS[outcome])
    if ended.status != FINAL_STATUS[outcome]:
        raise UserError(f"An order of {shop.contestant.title} ends as {ended.status}")
    wire.wait_until_quiet()


def _log(shop: Shop) -> Counter[str]:
    """Count the lines that the functions logged so far."""
    lines: Counter[str] = Counter()
    for service in shop.services:
        group = f"/saga/{stack_name(service)}"
        messages = [event["message"].rstrip() for event in events(shop.logs, group)]
        lines.update(line for line in messages if not line.startswith(NOISE))
    return lines

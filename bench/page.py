"""docs/performance.md: the figures and tables of a run, for the template beside this file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.calls import SERVICES_OF, PerOrder
from bench.cold_start import SERVICE
from bench.contention import HOLD_SECONDS, SHARDS, Contention
from bench.costs import MB_OF_A_PROCESSOR, Cost, billed_ms, cost, read_prices, waited_ms
from bench.end_to_end import ORDERS_PER_SECOND
from bench.results import Results
from bench.scale import AtScale
from bench.spread import Spread

MEMORY_MB = 512  # as the stacks have it
TEMPLATE = Path(__file__).with_name("performance.md.in")
_PEERS = ("plain", "powertools", "typescript")


def build(found: Results) -> str:
    """Fill the template with a run's figures, and break its lines again."""
    page = TEMPLATE.read_text().format_map(_figures(found))
    blocks = [block for block in page.split("\n\n") if block.strip()]
    return "\n\n".join(map(_fill, blocks)) + "\n"


def _figures(found: Results) -> dict[str, Any]:
    """Return what the template names."""
    prices = read_prices()
    start, order = found.cold_start["saga"], found.calls["saga"]["happy"]
    x86, arm = prices.lambda_gb_second["x86_64"], prices.lambda_gb_second["arm64"]
    gigabytes = MEMORY_MB / 1024
    slower = [found.titles[name] for name in _PEERS if _to_the_saga(found, name) < 1]
    takes = "takes" if len(slower) == 1 else "take"
    ends = next(iter(found.end_to_end.values()))
    return {
        "quick": "\n\n**A quick run: too few of each to compare.**" if found.quick else "",
        "machine": found.machine,
        "engine": "an engine was available, and not used"
        if found.machine.engine
        else "no engine was available",
        "summary": _summary(found),
        "aims": _aims(found),
        "reads_cost": _reads_cost(found),
        "slower": f"{_and(slower) or 'none'} {takes} longer",
        "noop_calls": found.calls["noop"]["happy"].calls,
        "cold_start": _cold_start(found),
        "starts": len(start.to_next_ms.values),
        "handling": _handling(found),
        "instructions": _instructions(found),
        "calls": _calls(found),
        "dollars": _dollars(found),
        "prices": prices,
        "memory_mb": MEMORY_MB,
        "sweep": _sweep(found),
        "end_to_end": _end_to_end(found),
        "alone": len(ends.alone.values),
        "loaded": len(ends.loaded.values),
        "scale": _scale(found),
        "contention": _contention(found.contention),
        "hold_ms": 1000 * HOLD_SECONDS,
        "sold": 1 / HOLD_SECONDS,
        "shards": SHARDS,
        "memory": _memory(found),
        "mb_of_a_processor": MB_OF_A_PROCESSOR,
        "peak_mb": start.peak_memory.median / 1e6,
        "waited_ms": waited_ms(order, prices) / 4,
        "of_a_start": start.to_next_ms.median * 1000 * gigabytes * x86,
        "arm_percent": 100 * (1 - arm / x86),
        "provisioned": 5 * gigabytes * 30 * 86_400 * prices.provisioned_gb_second,
    }


def _to_the_saga(found: Results, name: str) -> float:
    """Return the saga's end-to-end time to a contestant's."""
    return found.end_to_end["saga"].alone.to(found.end_to_end[name].alone)


def _summary(found: Results) -> str:
    """Return the table of the most important figures."""
    names = ("saga", *_PEERS)

    def row(label: str, values: Iterable[float], digits: int = 0) -> tuple[str, ...]:
        return (label, *(f"{value:.{digits}f}" for value in values))

    cold, ends = found.cold_start, found.end_to_end
    happy = {name: found.calls[name]["happy"] for name in names}
    dollars = [_cost(found, name, "happy", happy[name]).total for name in names]
    rows = [
        row("cold start to the first `next`, ms", (cold[n].to_next_ms.median for n in names)),
        row("to the first response, ms", (cold[n].to_answer_ms.median for n in names)),
        row("memory, MB", (cold[n].peak_memory.median / 1e6 for n in names)),
        row("POST to the end, warm, p50, ms", (ends[n].alone.median for n in names)),
        row("calls of AWS for a happy order", (happy[n].calls for n in names)),
        row("dollars for a million of these", dollars, 2),
    ]
    return _table(("", *(found.titles[name] for name in names)), rows)


def _fill(block: str) -> str:
    """Break the lines of a paragraph, or of a list's points: figures come in all lengths."""
    block = block.strip("\n")
    if block.startswith(("|", "#", "!")):
        return block
    points = block.split("\n- ") if block.startswith("- ") else [block]
    return "\n".join(
        textwrap.fill(
            " ".join(point.removeprefix("- ").split()),
            width=100,
            initial_indent="- " if block.startswith("- ") else "",
            subsequent_indent="  " if block.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for point in points
    )


def _aims(found: Results) -> str:
    cold, calls, ends = found.cold_start, found.calls, found.end_to_end
    saga = cold["saga"]
    starts = {name: saga.to_next_ms.to(cold[name].to_next_ms) for name in cold}
    work = {name: saga.to_next_cpu_ms.to(cold[name].to_next_cpu_ms) for name in cold}
    answers = {name: saga.to_answer_ms.to(cold[name].to_answer_ms) for name in cold}
    to_plain, to_bundled = starts["plain"], starts["typescript"]
    own = _own(found, "saga")
    to_own = sum(own.values()) / sum(_own(found, "plain").values())
    orders = {name: ends["saga"].alone.to(end.alone) for name, end in ends.items()}
    to_floor = orders["noop"]
    slower = [found.titles[name] for name in _PEERS if orders[name] < 1]
    last = found.scale[-1]
    dollars = _at_scale(found, last) / _at_scale(found, _at(found, 1_000))
    code = saga.code_bytes / 1000
    rows = [
        ("cold start to the first `next`, to (a)", "≤ 0.5", f"{to_plain:.2f}", to_plain <= 0.5),
        ("the same, by the processor's time", "", f"{work['plain']:.2f}", None),
        ("cold start to the first response, to (a)", "", f"{answers['plain']:.2f}", None),
        ("cold start to the first `next`, to (c)", "≤ 1.0", f"{to_bundled:.2f}", to_bundled <= 1),
        ("the same, by the processor's time", "", f"{work['typescript']:.2f}", None),
        ("the same, to (c) not bundled", "", f"{starts['typescript-unbundled']:.2f}", None),
        ("cold start to the first response, to (c)", "", f"{answers['typescript']:.2f}", None),
        (
            "handler time of an event, most of five",
            "≤ 100 µs",
            f"{max(own.values()):.0f} µs",
            max(own.values()) <= 100,
        ),
        ("handler time to (a)", "≤ 0.2", f"{to_own:.2f}", to_own <= 0.2),
        ("calls of AWS for a happy order", "8", f"{calls['saga']['happy'].calls}", False),
        ("end to end, p50, to the no-op floor", "≤ 1.5", f"{to_floor:.2f}", to_floor <= 1.5),
        (
            "end to end, p50, below every peer",
            "3 of 3",
            f"{len(slower)} of 3",
            len(slower) == len(_PEERS),
        ),
        (
            f"dollars of an order with {last.orders:,} orders in the table, to 1,000",
            "≤ 1.10",
            f"{dollars:.2f}",
            dollars <= 1.1,
        ),
        ("code layer of an image", "< 100 KB", f"{code:.0f} KB", code < 100),
    ]
    verdicts = {True: "met", False: "**not met**", None: ""}
    return _table(("", "aim", "is", ""), [(*row[:3], verdicts[row[3]]) for row in rows])


def _cold_start(found: Results) -> str:
    rows = [
        (
            found.titles[name],
            _ms(start.to_next_ms),
            _ms(start.to_next_cpu_ms),
            _ms(start.to_answer_ms),
            f"{start.first_event_cpu_ms.median:.0f} / {start.second_event_cpu_ms.median:.1f}",
            f"{start.peak_memory.median / 1e6:.0f}",
            f"{start.bytes_loaded.median / 1e6:.1f}",
            f"{(start.package_bytes + start.code_bytes) / 1e6:.1f}",
        )
        for name, start in found.cold_start.items()
    ]
    header = (
        f"`{SERVICE}`",
        "to the first `next`, ms",
        "CPU of that, ms",
        "to the first response, ms",
        "CPU of the first / second event, ms",
        "peak memory, MB",
        "loaded, MB",
        "image adds, MB",
    )
    return _table(header, rows)


def _handling(found: Results) -> str:
    rows = []
    for service in next(iter(found.handling.values())):
        of = {name: services[service] for name, services in found.handling.items()}
        rows.append(
            (
                f"`{service}`",
                *(_ms(handling.whole_ms, 1) for handling in of.values()),
                *(_ms(handling.own_us) for handling in of.values() if handling.own_us),
            )
        )
    names = [found.titles[name] for name in found.handling]
    python = [
        found.titles[name] for name, services in found.handling.items() if services[SERVICE].own_us
    ]
    header = ("", *(f"{n}, ms" for n in names), *(f"{n}, own code, µs" for n in python))
    return _table(header, rows)


def _instructions(found: Results) -> str:
    counted = [
        f"{found.titles[name]} {services[SERVICE].own_instructions:,}"
        for name, services in found.handling.items()
        if services[SERVICE].own_instructions
    ]
    return (
        f"Instructions of own code for an event in `{SERVICE}`: {', '.join(counted)}."
        if counted
        else "No valgrind was available to count instructions."
    )


def _calls(found: Results) -> str:
    rows = []
    for outcome in SERVICES_OF:
        for name, outcomes in found.calls.items():
            if outcome not in outcomes:
                continue
            order = outcomes[outcome]
            operations = ", ".join(f"{n} {op}" for op, n in order.operations.items())
            rows.append(
                (
                    outcome,
                    found.titles[name],
                    f"{order.calls}",
                    f"{order.write_units}",
                    f"{order.read_units:g}",
                    f"{order.bytes_sent / 1000:.1f} / {order.bytes_received / 1000:.1f}",
                    f"{order.log_lines:.0f} / {order.log_bytes:.0f}",
                    operations,
                )
            )
    header = (
        "outcome",
        "",
        "calls",
        "write units",
        "read units",
        "KB sent / received",
        "log lines / bytes",
        "of these",
    )
    return _table(header, rows)


def _dollars(found: Results) -> str:
    rows = []
    for name in ("saga", *_PEERS):
        for outcome, order in found.calls[name].items():
            price = _cost(found, name, outcome, order)
            rows.append(
                (
                    found.titles[name],
                    outcome,
                    *(f"{getattr(price, field):.2f}" for field in Cost.__struct_fields__),
                    f"**{price.total:.2f}**",
                )
            )
    fields = ("writes", "reads", "events", "HTTP", "requests", "duration", "logs", "all")
    return _table(("", "outcome", *fields), rows)


def _end_to_end(found: Results) -> str:
    floor = found.end_to_end["noop"].alone
    rows = [
        (
            found.titles[name],
            _ms(end.alone),
            f"{end.alone_p99:.0f}",
            f"{end.alone.to(floor):.2f}",
            _ms(end.loaded),
            f"{end.loaded_p99:.0f}",
            f"{end.cpu_ms:.0f}",
        )
        for name, end in found.end_to_end.items()
    ]
    header = (
        "a happy order, POST to its terminal status",
        "p50, ms",
        "p99",
        "to the floor",
        f"p50 at {ORDERS_PER_SECOND}/s, ms",
        "p99",
        "functions' CPU, ms",
    )
    return _table(header, rows)


def _scale(found: Results) -> str:
    rows = [
        (
            f"{one.orders:,}",
            f"{one.calls}",
            f"{one.write_units}",
            f"{one.read_units:g}",
            f"{one.functions_cpu_ms:.1f}",
            f"{one.took_ms:.0f}",
            f"{one.sweep_calls}",
            f"{one.sweep_read_units:g}",
            f"{one.sweep_ms:.0f}",
        )
        for one in found.scale
    ]
    header = (
        "orders in the table",
        "calls",
        "write units",
        "read units",
        "functions' CPU, ms",
        "end to end, ms",
        "sweep: calls",
        "read units",
        "ms",
    )
    return _table(header, rows)


def _contention(found: Sequence[Contention]) -> str:
    rows = [
        (
            f"{one.buyers}",
            f"{one.shards}",
            f"{one.per_second:.0f}",
            f"{one.conflicts_per_order:.2f}",
            f"{one.given_up_per_hundred:.1f}",
        )
        for one in found
    ]
    header = (
        "buyers at once",
        "items with the stock",
        "orders a second",
        "conflicts an order",
        "left to Lambda's retry, %",
    )
    return _table(header, rows)


def _memory(found: Results) -> str:
    prices = read_prices()
    start, order = found.cold_start["saga"], found.calls["saga"]["happy"]
    cpu = _cpu(found, "saga", "happy")
    rows = []
    for memory in (128, 256, 512, 1024, 1769):
        share = min(1.0, memory / MB_OF_A_PROCESSOR)
        price = cost(order, cpu, memory, prices)
        rows.append(
            (
                f"{memory}{' (ours)' if memory == MEMORY_MB else ''}",
                f"{start.first_event_cpu_ms.median / share:.0f}",
                f"{cpu / share / 4:.0f}",
                f"{billed_ms(order, cpu, memory, prices) / 4:.0f}",
                f"{price.duration:.2f}",
                f"{price.total:.2f}",
            )
        )
    header = (
        "MB",
        "work of a first event, ms",
        "of a later one, ms",
        "with assumed waits, ms",
        "duration, $ a million orders",
        "all, $",
    )
    return _table(header, rows)


def _own(found: Results, name: str) -> dict[str, float]:
    """Return the microseconds of own code by service."""
    return {
        service: handling.own_us.median
        for service, handling in found.handling[name].items()
        if handling.own_us
    }


def _cpu(found: Results, name: str, outcome: str) -> float:
    """Return the milliseconds of the processor that the functions of an order take, warm."""
    services = found.handling[name]
    return sum(services[service].whole_ms.median for service in SERVICES_OF[outcome])


def _cost(found: Results, name: str, outcome: str, order: PerOrder) -> Cost:
    return cost(order, _cpu(found, name, outcome), MEMORY_MB, read_prices())


def _reads_cost(found: Results) -> str:
    prices = read_prices()
    reads = found.calls["saga"]["happy"].operations["GetItem"]
    units = found.calls["saga"]["happy"].read_units
    dollars = units * prices.per_million["dynamodb_read_unit"]
    waits = reads * prices.assumed.dynamodb_call_ms
    return (
        f"{units:g} read units (${dollars:.2f} a million orders), some {waits:g} ms of waiting on "
        "AWS (assumed) and about 1.5 ms of CPU"
    )


def _sweep(found: Results) -> str:
    prices = read_prices()
    units = found.scale[-1].sweep_read_units * 43_200
    return f"${units * prices.per_million['dynamodb_read_unit'] / 1e6:.2f} of reads"


def _at_scale(found: Results, at: AtScale) -> float:
    """Return the dollars of a million happy orders with a table of this size."""
    order = msgspec.structs.replace(
        found.calls["saga"]["happy"], write_units=at.write_units, read_units=at.read_units
    )
    return cost(order, at.functions_cpu_ms, MEMORY_MB, read_prices()).total


def _at(found: Results, orders: int) -> AtScale:
    return next(one for one in found.scale if one.orders == orders)


def _ms(spread: Spread, digits: int = 0) -> str:
    low, high = f"{spread.low:.{digits}f}", f"{spread.high:.{digits}f}"
    return f"{spread.median:.{digits}f} [{low} to {high}]"


def _and(words: Sequence[str]) -> str:
    return " and ".join(words)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

"""docs/performance.md, from what a run found."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import msgspec

from bench.calls import PerOrder
from bench.cold_start import SERVICE
from bench.contention import HOLD_SECONDS, SHARDS, Contention
from bench.costs import MB_OF_A_PROCESSOR, Cost, billed_ms, cost, read_prices, waited_ms
from bench.end_to_end import ORDERS_PER_SECOND
from bench.results import Results
from bench.scale import AtScale
from bench.spread import Spread

MEMORY_MB = 512  # as the stacks have it
SERVICES_OF = {
    "happy": ("create_order", "reserve_inventory", "charge_payment", "notify_shipping"),
    "out-of-stock": ("create_order", "reserve_inventory"),
    "declined": ("create_order", "reserve_inventory", "charge_payment", "release_inventory"),
}


def build(found: Results) -> str:
    """Write the page."""
    parts = [
        _head(found),
        _aims(found),
        _cold_start(found),
        _HOW,
        _handling(found),
        _calls(found),
        _dollars(found),
        _end_to_end(found),
        _scale(found),
        _contention(found.contention),
        _memory(found),
        _PROMISES,
    ]
    blocks = [block for block in "\n\n".join(parts).split("\n\n") if block.strip()]
    return "\n\n".join(map(_fill, blocks)) + "\n"


def summary(found: Results) -> str:
    """Write the table of the README."""
    names = ("saga", *_PEERS)

    def row(label: str, values: Iterable[float], digits: int = 0) -> tuple[str, ...]:
        return (label, *(f"{value:.{digits}f}" for value in values))

    cold, ends = found.cold_start, found.end_to_end
    happy = {name: found.calls[name]["happy"] for name in names}
    dollars = [_cost(found, name, "happy", happy[name]).total for name in names]
    rows = [
        row("cold start to the first `next`, ms", (cold[n].to_next_ms.median for n in names)),
        row("to the first answer, ms", (cold[n].to_answer_ms.median for n in names)),
        row("memory, MB", (cold[n].peak_memory.median / 1e6 for n in names)),
        row("POST to the end, warm, p50, ms", (ends[n].alone.median for n in names)),
        row("calls of AWS for a happy order", (happy[n].calls for n in names)),
        row("dollars for a million of these", dollars, 2),
    ]
    return _table(("", *(found.titles[name] for name in names)), rows)


def _fill(block: str) -> str:
    """Break the lines of a paragraph, or of a list's points, anew: figures come in all lengths."""
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


def _head(found: Results) -> str:
    machine = found.machine
    quick = "\n\n**A quick run: too few of each to say anything.**" if found.quick else ""
    engine = "an engine was there, and not used" if machine.engine else "no engine was there"
    return f"""
# Performance

Written by `make bench`, from [performance.json](performance.json); to be changed in
[bench/page.py](../bench/page.py). Everything is measured in one run, the contestants in turn and each
turn in another order, so that what slows the machine slows all of them. Times are of this machine and
this emulator, for comparing; counts hold anywhere.{quick}

The contestants: **the saga** with the packages of its images; three peers that are the same flow as
people write it, in [bench/peers](../bench/peers): **(a)** [plain](../bench/peers/plain) boto3 and
pydantic 2, **(b)** the same with [Powertools](../bench/peers/powertools) (parser, logger,
idempotency), **(c)** [TypeScript](../bench/peers/typescript) on the AWS SDK v3 and zod, bundled and
minified by esbuild; and a flow of [no-op handlers](../bench/peers/noop), which say the next event
and do nothing else. All Python runs in `awslambdaric`. AWS's runtime client for Node has to be
compiled; (c) runs in [forty lines](../bench/peers/typescript/runtime.mjs) that speak the same API,
and starts a little faster by it than on Lambda.

| | |
|---|---|
| measured | {machine.measured}, commit {machine.commit} |
| machine | {machine.processor}, {machine.processors} processors, {machine.memory_gb:.0f} GB; load before the run {machine.load:.1f} |
| software | {machine.system}, Python {machine.python}, Node {machine.node} |
| functions | processes of this machine, with the files that an image would have ({engine}) |
"""


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
        ("cold start to the first answer, to (a)", "", f"{answers['plain']:.2f}", None),
        ("cold start to the first `next`, to (c)", "≤ 1.0", f"{to_bundled:.2f}", to_bundled <= 1),
        ("the same, by the processor's time", "", f"{work['typescript']:.2f}", None),
        ("the same, to (c) not bundled", "", f"{starts['typescript-unbundled']:.2f}", None),
        ("cold start to the first answer, to (c)", "", f"{answers['typescript']:.2f}", None),
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
    return f"""
## What was aimed at, and what is

{_table(("", "aim", "is", ""), [(*row[:3], verdicts[row[3]]) for row in rows])}

Ratios of times are those of two starts, or two orders, of a turn, and of these the median.

Where we lose, and why:

- **Ten calls, not eight.** Two strongly consistent reads come before what cannot be taken back, the
  charge and the booking ([decisions](decisions.md)). That stays. They cost {_reads_cost(found)}.
- **Of the peers, {_and(slower) or "none"} {"takes" if len(slower) == 1 else "take"} longer from end to
  end than the saga.** The others make two calls fewer and write smaller items, because they leave
  out what [the last section](#what-the-peers-do-not-promise) lists.
- **The floor is low.** A no-op flow makes {calls["noop"]["happy"].calls} calls; the emulator
  answers each in 1 to 2 ms, so that an order's time is little but calls.
- **pydantic 2 is fast too.** Both decode an event in microseconds; the saga's own code also reads the
  stored order, compares all that an event tells with it, and stores the event that it says.
"""


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
        "to the first answer, ms",
        "CPU of the first / second event, ms",
        "peak memory, MB",
        "loaded, MB",
        "image adds, MB",
    )
    count = len(found.cold_start["saga"].to_next_ms.values)
    return f"""
## Cold start

![Cold starts](performance-cold-start.svg)

{_table(header, rows)}

{count} starts each, in turn, page cache warm: median, and in brackets the middle 80 %. The first
answer includes the first calls of DynamoDB and EventBridge over TLS, to a stand-in that answers at
once: what is missing is the network, the download of the image, and the start of the virtual machine.
Loaded is what the process reads through system calls until its first `next`, with the libraries of its
packages; image adds is the packages' folder and the code. Under load from elsewhere the CPU column is
the steadier one. (a) makes a resource of boto3's for its table, as is usual.
"""


_HOW = """
## What makes a start short

From the start of `charge_payment` to its first `next`, on 2026-11-24, a quiet machine: instructions as
valgrind counts them, and the median of 15 starts in turn. Each step comes on top of those above it.

| step | millions of instructions | ms | |
|---|---|---|---|
| boto3's clients, packages as pip installs them | 1,030 | 225 | |
| [slim.py](../plumbing/image/slim.py): of the descriptions only six operations of DynamoDB and EventBridge, no documentation, only their addresses | 778 | 161 | -28 % |
| [the same clients from botocore](../plumbing/aws.py), without boto3 around them: no s3transfer, multiprocessing, resources | 706 | 146 | -9 % |
| [garbage is looked for](../plumbing/__init__.py) after 100,000 new objects instead of 700, from before botocore is imported | 682 | 139 | -5 % |

The largest step is not in the table, because it comes after the first `next`: OpenSSL 3 takes 30 ms
of the processor to read botocore's 126 root certificates, once for each client, in the first event,
where a function of 512 MB has a quarter of a processor: some 200 ms. `slim.py` keeps the five that
Amazon Trust Services recommends for a trust store of one's own; they are read in 1 ms. A network whose
TLS goes through an authority of its own names its bundle by `AWS_CA_BUNDLE`, as ever.

Both clients are made while the function starts, from one session, which reads each description once;
that phase has a full processor, and is billed since August 2025. Connections are kept alive between
events by botocore. Time-outs and tries of a call are fitted to the function's time-out in
[aws.py](../plumbing/aws.py). Byte code comes with the image, and is not compared with its source at
each import.

Tried, and not taken:

| what | would save | why not |
|---|---|---|
| HTTP and signing by hand | 436 of 682 million instructions | retries, errors, credentials and endpoints would be ours to keep right |
| a call while starting, to have the connections open | two TLS handshakes and some 10 ms of CPU of the first event | it needs a permission that no step needs, or a call that is denied; and a start fails when AWS does |
| the same without a network, through botocore's event `before-send` | 2 to 3 ms of 15 of the first event | not worth its lines |
| no validation of parameters | 5 % of a call's CPU | it names the wrong field |
| descriptions not compressed | 4 million instructions | 0.4 MB more to load |
| byte code without docstrings (`-OO`) or columns | nothing, or 1 million | the base has no such byte code of the standard library |
| `.dist-info` left out | 0.7 MB, never read | scanners for vulnerabilities read it |
| urllib3 before 2.2, which does not import `importlib.metadata` | 9 ms | no fixes |
"""


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
    counted = [
        f"{found.titles[name]} {services[SERVICE].own_instructions:,}"
        for name, services in found.handling.items()
        if services[SERVICE].own_instructions
    ]
    instructions = (
        f"Instructions of own code for an event in `{SERVICE}`: {', '.join(counted)}."
        if counted
        else "No valgrind was there to count instructions."
    )
    return f"""
## Handling an event

{_table(header, rows)}

The first columns are milliseconds of the processor for a warm function to take an event and come back
for the next: runtime client, handler, SDK, HTTP, TLS. A call of AWS is 0.6 to 0.9 ms of that, and the
saga makes one more in `charge_payment` and `notify_shipping`. Own code is decode, decide and encode,
the log line included, with nothing behind the clients; boto3's tables, which (a) and (b) use, are
given their conversion of values, as that is encoding too. {instructions}
"""


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
    return f"""
## Calls, units and bytes of an order

{_table(header, rows)}

Counted by a proxy before the emulator, one order at a time; units by DynamoDB's rules from the items
before and after each write ([units.py](../bench/units.py)), those of the index of open orders
included: two of the saga's nine are for it. (b) writes to a table of its own for idempotency, twice
an event.
"""


def _dollars(found: Results) -> str:
    prices = read_prices()
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
    assumed = prices.assumed
    return f"""
## Dollars for a million orders

{_table(("", "outcome", *fields), rows)}

List prices of {prices.region} on {prices.date} ([prices.json](../bench/prices.json) names the sources),
x86, {MEMORY_MB} MB. Duration is the measured CPU at the share of a processor that {MEMORY_MB} MB have, and
**assumed** waits, for no AWS account was at hand: {assumed.dynamodb_call_ms:g} ms for a call of
DynamoDB, {assumed.transaction_ms:g} for a transaction, {assumed.put_events_ms:g} for PutEvents. Log
lines are within, the platform's own too. Not within: the sweep (43,200 runs a month, {_sweep(found)},
for any number of orders), cold starts, storage, alarms, free tiers.
"""


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
    count = next(iter(found.end_to_end.values()))
    return f"""
## End to end

![End to end](performance-end-to-end.svg)

{_table(header, rows)}

{len(count.alone.values)} orders one by one and {len(count.loaded.values)} under the steady load each, every
contestant on an emulator of its own, in turn. The end is when the last write was about to be made, as
the write says, so that no polling is in the figures. The no-op flow makes one write, to be seen by.
The sweep does not run by itself meanwhile: what a run takes is told below.
"""


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
    return f"""
## Scale

![Scale](performance-scale.svg)

{_table(header, rows)}

What an order takes does not hang on how many there are: each step reads and writes by key. The
sweep reads an index that has open orders only, over sixteen partitions and that of orders given up:
seventeen queries of half a unit, however many orders have ended. A page of it holds some thousands of
open orders. Times grow where the emulator's do, which keeps its tables in Python; on DynamoDB neither
does.
"""


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
    return f"""
## A hot SKU

![A hot SKU](performance-contention.svg)

{_table(header, rows)}

The emulator makes one write after the other and never refuses one for a conflict, so that this is a
**model of DynamoDB** under the saga's own code: a transaction holds its items for
{1000 * HOLD_SECONDS:g} ms, one that comes meanwhile is refused and tried again with the pauses of
[conditional_write.py](../plumbing/conditional_write.py). Buyers order without a pause. One SKU in one item
is sold some {1 / HOLD_SECONDS:.0f} times a second, however many want it; more buyers make more
conflicts, each of which is billed like a write, and orders that eight tries do not get through are
tried again by Lambda a minute later. None is lost, and none is sold twice.

What to do about it, in this order: nothing, below some fifty orders a second of one SKU; spread the
units of a hot SKU over several items (`SKU#1` … `SKU#{SHARDS}`: the table has it with {SHARDS}), at the
price of an order that finds one item empty and has to try the next; or a queue in front, grouped by
SKU, which makes buyers wait instead of colliding.
"""


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
    x86, arm = prices.lambda_gb_second["x86_64"], prices.lambda_gb_second["arm64"]
    of_a_start = start.to_next_ms.median / 1000 * MEMORY_MB / 1024 * x86
    provisioned = 5 * MEMORY_MB / 1024 * 30 * 86_400 * prices.provisioned_gb_second
    return f"""
## Memory, architecture, snapshots

{_table(header, rows)}

Computed from the measured CPU; at {MB_OF_A_PROCESSOR} MB a function has one processor, below that
its share. A function needs {start.peak_memory.median / 1e6:.0f} MB, so that memory is bought for the
processor alone: {MEMORY_MB} MB is where the work of an event falls below what it waits for AWS
({waited_ms(order, prices) / 4:.0f} ms, assumed), and doubling it again buys little time for its money.

- **A cold start** costs {of_a_start * 1e6:.2f} $ a million at {MEMORY_MB} MB, by the time measured here.
- **SnapStart** would take the start away, and is not for container images ("Improving startup
  performance with Lambda SnapStart", AWS Lambda developer guide). Unmeasured. With zip files, mind that ids and connections made while starting are in
  every copy: the saga makes no ids there.
- **ARM** is {100 * (1 - arm / x86):.0f} % cheaper by the second: `-c architecture=arm64`. Its speed is
  unmeasured here.
- **Provisioned concurrency**: one copy of each of the five functions is {provisioned:.0f} $ in thirty
  days, before calls. Unmeasured.
"""


_PROMISES = """
## What the peers do not promise

They are programs that a good engineer would let pass, and faster for what they leave out:

| | the saga | (a), (c) | (b) |
|---|---|---|---|
| a crash between write and publish | the stored event is said again | the order stays where it is: the next delivery finds the step done, and says nothing | the next delivery runs the step again, without a condition on the status |
| an order that stands still | the sweep resumes it | nothing does | nothing does |
| a charge only for an order that stands where money may move | read before the charge | no | no |
| a late or forged event | compared with what is stored; an error | status only | no |
| the same POST twice | one order, by `Idempotency-Key` | two orders | two orders |
| the same event, the same bytes and ids | yes | new ids in (c), and for the reservation in (a) | within the hour that its record is kept |
| wrong requests | every field named, as RFC 9457 has it | the library's errors | the library's errors |
| looking an order up | `GET /orders/{orderId}` | no | no |
"""

_PEERS = ("plain", "powertools", "typescript")


def _own(found: Results, name: str) -> dict[str, float]:
    """Answer the microseconds of own code by service."""
    return {
        service: handling.own_us.median
        for service, handling in found.handling[name].items()
        if handling.own_us
    }


def _cpu(found: Results, name: str, outcome: str) -> float:
    """Answer the milliseconds of the processor that the functions of an order take, warm."""
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
    """Answer the dollars of a million happy orders with a table of this size."""
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

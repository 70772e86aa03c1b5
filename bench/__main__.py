"""`python -m bench`: measure everything, the contestants in turn, and write docs/performance.md.

python -m bench            all of it, for the page: some fifteen minutes
python -m bench --quick    a few of each, to see that it runs; the page is left alone
python -m bench --page     the page and its plots again, from what the last run found
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench import (
    calls,
    cold_start,
    contention,
    contestants,
    end_to_end,
    handling,
    machine,
    page,
    results,
    scale,
)
from bench.contestants import FILES
from bench.results import Results
from bench.shop import open_shop
from harness import emulator
from harness.emulator import ROOT
from harness.errors import UserError
from harness.terminal import Progress, complain, say

PLOTTER = ROOT / ".venv-bench" / "bin" / "python"
DOCS = ROOT / "docs"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    starts: int
    batches: int
    events_a_batch: int
    warm_up: int
    rounds: int
    orders_a_round: int
    load_seconds: float
    tables: Sequence[int]
    orders_at_scale: int
    buyers: Sequence[int]
    buying_seconds: float


FULL = Size(
    starts=40,
    batches=10,
    events_a_batch=50,
    warm_up=300,
    rounds=5,
    orders_a_round=20,
    load_seconds=20,
    tables=(100, 1_000, 10_000, 100_000),
    orders_at_scale=40,
    buyers=(1, 2, 4, 8, 16, 32, 64),
    buying_seconds=3,
)
QUICK = Size(
    starts=2,
    batches=2,
    events_a_batch=10,
    warm_up=20,
    rounds=1,
    orders_a_round=3,
    load_seconds=2,
    tables=(100, 1_000),
    orders_at_scale=5,
    buyers=(1, 8),
    buying_seconds=0.5,
)


def main(arguments: list[str]) -> int:
    """Run the benchmark; return the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few of each, to see that it runs")
    parser.add_argument("--page", action="store_true", help="write the page again, measure nothing")
    call = parser.parse_args(arguments)
    folder = FILES / "quick" if call.quick else DOCS
    try:
        if call.page:
            found = results.load(folder / "performance.json")
        else:
            found = _run(QUICK if call.quick else FULL, quick=call.quick)
            found.save(folder / "performance.json")
        _write(found, folder)
        return 0
    except UserError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        emulator.stop_children()


def _run(size: Size, *, quick: bool) -> Results:
    """Measure part by part, and keep what is found for the case that the run ends early."""
    report = Progress()
    found = Results(machine=machine.describe(), quick=quick)
    unfinished = FILES / "unfinished.json"

    def keep(part: str, measured: object) -> None:
        setattr(found, part, measured)
        found.save(unfinished)

    saga, plain, powertools, typescript, _ = flows = [make(report) for make in _FLOWS]
    others = [contestants.saga_unslimmed(report), contestants.typescript_unbundled(report)]
    keep("titles", {one.name: one.title for one in [*flows, *others]})
    started = [saga, others[0], plain, powertools, typescript, others[1]]
    keep("cold_start", cold_start.measure(started, size.starts, report))
    keep(
        "handling",
        handling.measure(
            [saga, plain, powertools, typescript],
            size.batches,
            size.events_a_batch,
            size.warm_up,
            report,
            count_instructions=not quick,
        ),
    )
    keep("contention", contention.measure(size.buyers, size.buying_seconds, report))
    with ExitStack() as stack:
        shops = [stack.enter_context(open_shop(flow, report)) for flow in flows]
        keep(
            "end_to_end",
            end_to_end.measure(shops, size.rounds, size.orders_a_round, size.load_seconds, report),
        )
        keep("calls", calls.measure(shops, report))
    # On an emulator of its own: the orders of the parts before would be in the table.
    with open_shop(saga, report) as shop:
        keep("scale", scale.measure(shop, size.tables, size.orders_at_scale, report))
    report.done()
    unfinished.unlink()
    return found


_FLOWS: Sequence[Callable[[contestants.Report], contestants.Contestant]] = (
    contestants.saga,
    contestants.plain,
    contestants.powertools,
    contestants.typescript,
    contestants.noop,
)


def _write(found: Results, folder: Path) -> None:
    """Write the page and its plots beside the data."""
    (folder / "performance.md").write_text(page.build(found))
    data = folder / "performance.json"
    plotted = subprocess.run(
        [str(PLOTTER), str(Path(__file__).with_name("plots.py")), str(data), str(folder)],
        check=False,
    )
    if plotted.returncode:
        raise UserError("The plots could not be drawn: `make bench` installs what draws them.")
    say(f"The page: {folder / 'performance.md'}")


sys.exit(main(sys.argv[1:]))

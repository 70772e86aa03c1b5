"""Draw what was measured: `python plots.py performance.json FOLDER`.

Runs in an environment of its own, which has matplotlib; no test needs it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

# Legible on white and on black.
INK = "#7d8590"
COLOURS = ("#2f81f7", "#e3893a", "#57ab5a", "#c06bd6", "#e5534b", "#39a0a8", "#9a7b4f")

mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "order-saga",
        "font.family": "sans-serif",
        "font.size": 11,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": mpl.cycler(color=COLOURS),
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "savefig.transparent": True,
    }
)


def cold_start(found: Any, axes: Axes) -> None:
    """Draw bars to the first `next` and to the first response, with the middle eighty per cent."""
    names = list(found["cold_start"])[::-1]
    for offset, (field, label) in enumerate(
        (("to_answer_ms", "to the first response"), ("to_next_ms", "to the first next"))
    ):
        spreads = [found["cold_start"][name][field] for name in names]
        medians = [spread["median"] for spread in spreads]
        reach = [
            [spread["median"] - spread["low"] for spread in spreads],
            [spread["high"] - spread["median"] for spread in spreads],
        ]
        places = [number + 0.4 * offset - 0.2 for number in range(len(names))]
        axes.barh(places, medians, 0.36, xerr=reach, ecolor=INK, label=label)
    axes.set_yticks(range(len(names)), [found["titles"][name] for name in names])
    axes.set_xlabel("ms since the start of the process (median, 10 to 90 %)")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def end_to_end(found: Any, axes: Axes) -> None:
    """Draw bars of the median, alone and under load, with a tick at the 99th percentile."""
    names = list(found["end_to_end"])[::-1]
    for offset, (field, label) in enumerate((("loaded", "5 orders/s"), ("alone", "one by one"))):
        medians = [found["end_to_end"][name][field]["median"] for name in names]
        places = [number + 0.4 * offset - 0.2 for number in range(len(names))]
        axes.barh(places, medians, 0.36, label=label)
        slowest = [found["end_to_end"][name][f"{field}_p99"] for name in names]
        axes.plot(slowest, places, "|", color=INK, markersize=10)
    axes.set_yticks(range(len(names)), [found["titles"][name] for name in names])
    axes.set_xlabel("ms from POST to the end (bar: p50, tick: p99)")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def scale(found: Any, axes: Axes) -> None:
    """Draw what an order and a sweep take as the table grows."""
    sizes = [one["orders"] for one in found["scale"]]
    for field, label in (
        ("write_units", "write units of an order"),
        ("calls", "calls of an order"),
        ("functions_cpu_ms", "functions' CPU of an order, ms"),
        ("sweep_calls", "calls of a sweep"),
    ):
        axes.plot(sizes, [one[field] for one in found["scale"]], "o-", label=label)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("orders in the table")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))


def contention(found: Any, axes: Axes) -> None:
    """Draw orders a second by buyers at once."""
    for shards in sorted({one["shards"] for one in found["contention"]}):
        ours = [one for one in found["contention"] if one["shards"] == shards]
        label = "stock in one item" if shards == 1 else f"stock in {shards} items"
        buyers = [one["buyers"] for one in ours]
        axes.plot(buyers, [one["per_second"] for one in ours], "o-", label=label)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("buyers of one SKU at once")
    axes.set_ylabel("orders a second")
    axes.legend(loc="upper left")


PLOTS = {
    "performance-cold-start": (cold_start, (8, 3.8)),
    "performance-end-to-end": (end_to_end, (8, 3.4)),
    "performance-scale": (scale, (8, 3.2)),
    "performance-contention": (contention, (8, 3.2)),
}


def main(data: Path, folder: Path) -> None:
    """Draw all plots into a folder."""
    found = json.loads(data.read_text())
    for name, (draw, size) in PLOTS.items():
        figure, axes = plt.subplots(figsize=size, layout="constrained")
        draw(found, axes)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

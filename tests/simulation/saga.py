"""What the explorer is told of this saga: its functions, and what they work with."""

from __future__ import annotations

from pathlib import Path

from contracts import participants
from explorer.app import App, Function, Rule, Trigger
from explorer.exploration import Exploration, Sweep
from explorer.flow import Flow, Saga
from harness.releases import services, subscriptions
from tests.simulation import domain
from tests.simulation.domain import SKEW, WAIT
from tests.simulation.scenarios import SCENARIOS
from tests.world import TABLES, settings

ROOT = Path(__file__).resolve().parents[2]
BUS, SWEEP = "bus", "resume_orders"
TRIGGERS = {
    "tick": Trigger(SWEEP, {}, "the schedule starts the sweep"),
    "sweep": Trigger(SWEEP, {"allOpen": True}, "a person resumes all open orders"),
}


def app(tree: Path = ROOT) -> App:
    """Return the application of a tree: its services, their settings, and their rules."""
    folder = tree / "services"
    return App(
        functions=[
            Function(
                name,
                f"{name}.handler.handle",
                path=[folder, tree],
                environment=settings(name, folder),
                fresh_ids=False,  # all follow from the order's
                timeout=60 if name == SWEEP else 20,
            )
            for name in services(tree)
        ],
        tables=TABLES,
        rules=[
            Rule({"detail-type": [detail_type], "source": [source]}, service, BUS)
            for service, (detail_type, source) in subscriptions(tree).items()
        ],
    )


def exploration() -> Exploration:
    """Return what is explored of this tree."""
    return Exploration(
        app(),
        SCENARIOS,
        triggers=TRIGGERS,
        saga=Saga("orders", "orderId", Flow.of(participants()), opens="openShard"),
        invariants=domain.INVARIANTS,
        sweep=Sweep("tick", domain.until_due),
        alarms=["unpublishedOrders"],
        wait=WAIT,
        skew=SKEW,
    )

"""What the explorer is told of this saga: its functions, and what they work with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from contracts import participants
from explorer.app import App, Function, Partner, Rule, Trigger
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


def _charges(idempotency_key: UUID, **_: object) -> Sequence[Any]:
    """Return all that the payment provider can answer, in the words of the release that runs."""
    words = sys.modules["charge_payment.charge_payment"]
    charged = words.Charged(uuid5(idempotency_key, "payment"))
    return charged, words.Declined("card declined")


def _bookings(idempotency_key: UUID, **_: object) -> Sequence[Any]:
    """Return all that the carrier can answer."""
    return (f"TRK-{uuid5(idempotency_key, 'shipment').hex[:8].upper()}",)


# Of releases whose partners do not declare yet what they can answer.
FORMER = {
    "charge_payment": {
        "gateway": Partner(
            "charge", _charges, lambda answer: type(answer).__name__ == "Charged", "find"
        )
    },
    "notify_shipping": {"carrier": Partner("book", _bookings, find="find")},
}


def _declares(service: Path) -> bool:
    return any("PARTNER = " in path.read_text() for path in service.glob("*.py"))


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
                partners={} if _declares(folder / name) else FORMER.get(name, {}),
                timeout=60 if name == SWEEP else 20,
            )
            for name in services(tree)
        ],
        tables=TABLES,
        rules=[
            Rule({"detail-type": [detail_type], "source": [source]}, service, BUS)
            for service, (detail_type, source) in subscriptions(tree).items()
        ],
        fresh_ids=False,  # no service looks at an event's
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

"""A change of this saga's services, as the explorer is told it: two trees and what differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from explorer.app import Scenario
from explorer.deployments import Change, Verdict, judge_change
from explorer.exploration import Exploration, Release, Sweep
from explorer.flow import Flow, Saga
from harness.releases import changed_services
from tests.simulation import domain
from tests.simulation.saga import TRIGGERS, app
from tests.simulation.scenarios import LAST, ORDER, SOLD_OUT, Order, scenario

# For one service, everything at once; for several, and for the way back, two things at a time.
ALL_AT_ONCE = (({"faults": 1, "losses": 1, "duplicates": 1}, 2),)
BY_TWOS = (
    ({"losses": 1, "duplicates": 1}, 1),
    ({"faults": 1, "losses": 1}, 1),
    ({"faults": 1, "duplicates": 1}, 1),
    ({"duplicates": 1}, 2),
)


def change(old: Path, new: Path) -> Change:
    """Return the change between two trees."""
    before, after = (Release(app(tree)) for tree in (old, new))
    flows = [
        Flow.of(
            {
                name: release.runtime.module(name, f"{name}.events").PARTICIPANT
                for name in release.functions
            }
        )
        for release in (before, after)
    ]
    also_posted = _also_posted(old, new)

    def scenarios(one: bool) -> Sequence[Scenario]:
        """Return what is explored: of one service that is deployed, or of several."""
        found = [
            scenario("", order, also=also_posted, at_once=at_once, may=may)
            for may, at_once in (ALL_AT_ONCE if one else BY_TWOS)
            for order in (ORDER, SOLD_OUT)
        ]
        two = (Order("CUST-1", "LAST"), Order("CUST-2", "LAST"))
        return [*found, scenario("", *two, stock=LAST, also=also_posted, at_once=2)]

    exploration = Exploration(
        app(old),
        (),
        triggers=TRIGGERS,
        saga=Saga("orders", "orderId", flows[0] | flows[1], opens="openShard"),
        invariants=domain.MIXED,
        sweep=Sweep("tick", domain.until_due),
        wait=domain.WAIT,
        strict=False,
        finals=flows[0].final & flows[1].final,
    )
    return Change(exploration, before, after, changed_services(old, new), scenarios)


def judge(old: Path, new: Path) -> Verdict:
    """Explore every deployment of the services in which two trees differ."""
    return judge_change(change(old, new))


def _also_posted(*trees: Path) -> dict[str, Any]:
    """Return what customers post beside the usual fields, by the trees' samples of OrderCreated."""
    fields: dict[str, Any] = {}
    for tree in trees:
        sample = tree / "contracts/events/OrderCreated.sample.json"
        fields |= json.loads(sample.read_text())["detail"] if sample.exists() else {}
    return {
        name: value
        for name, value in fields.items()
        if name not in ("orderId", "createdAt", "traceparent")
    }

"""What is explored, and what must hold: the one thing that a person writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.app import App, Function, Queue, Rule, Scenario, Trigger
from explorer.dynamodb import DynamoDB
from explorer.eventbridge import check_pattern
from explorer.flow import Saga
from explorer.runtime import Runtime

if TYPE_CHECKING:
    from explorer.view import View

Invariant = Callable[["View"], Iterable[str]]


@dataclass(frozen=True)
class Sweep:
    """The trigger that ends what is left open, and how long after it is due for that."""

    trigger: str
    after: Callable[[View], timedelta]


@dataclass(frozen=True)
class Exploration:
    """An application, scenarios, and what must hold in every state of each.

    triggers: what a schedule or a person may start, by names that scenarios may allow.
    saga: its declared flow, from which most checks follow; None for handlers without one.
    invariants: the domain's own: each yields what does not hold in a state, in any order.
    strict: whether the saga may only take its declared transitions, and whether no event may fail
        by itself; not so while one release is deployed over another.
    alarms: texts by which a printed line tells a person that something waits for the sweep.
    finals: the statuses that end a saga, where that is not what the flow says.
    wait: how long a wait is; `skew` is how far a clock may be off.
    """

    app: App
    scenarios: Sequence[Scenario]
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    saga: Saga | None = None
    invariants: Sequence[Invariant] = ()
    sweep: Sweep | None = None
    alarms: Sequence[str] = ()
    strict: bool = True
    wait: timedelta = timedelta(minutes=5)
    skew: timedelta = timedelta(minutes=2)
    finals: frozenset[str] | None = None

    @property
    def ends(self) -> frozenset[str]:
        """The statuses that end a saga, of several releases those that end it in each."""
        if self.finals is not None or self.saga is None:
            return self.finals or frozenset()
        return self.saga.flow.final


class Release:
    """An application whose handlers are loaded: from its files, or from other texts of them."""

    def __init__(self, app: App, sources: Mapping[Path, str] | None = None) -> None:
        self.app = app
        self.runtime = Runtime(app.functions, sources or {})
        self.database = DynamoDB(app.tables)
        self.functions: dict[str, Function] = {one.name: one for one in app.functions}
        self.queues: dict[str, Queue] = {one.name: one for one in app.queues}
        self.rules: Sequence[Rule] = app.rules
        for rule in app.rules:
            check_pattern(rule.pattern)
            if rule.target not in self.functions and rule.target not in self.queues:
                raise ValueError(f"a rule has the target {rule.target}: declare a function of it")

    def files(self, functions: Iterable[str]) -> frozenset[Path]:
        """Return the files of the modules that these functions have loaded of their own."""
        found = [self.runtime.files(one) for one in functions if one in self.functions]
        return frozenset[Path]().union(*found)

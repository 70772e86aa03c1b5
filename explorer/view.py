"""What an invariant sees of a state: plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from explorer.flow import Flow
from explorer.machine import Machine
from explorer.state import Act, Outcome, State
from explorer.values import to_plain_item


class View:
    """A state in plain values.

    flow: the saga's declared flow; `ends` are the statuses that end it.
    rests: nothing is in progress, and nothing waits but in failure queues.
    """

    def __init__(self, machine: Machine, state: State) -> None:
        self._machine, self._state = machine, state
        self.scenario, self.ends = machine.scenario, machine.exploration.ends
        self.flow = machine.saga.flow if machine.saga else Flow()
        self.seconds = state.seconds
        self.rests = not (state.queue or state.running or state.late)

    @cached_property
    def _items(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        plain = self._machine.plain
        found: dict[str, dict[str, Any]] = {one.name: {} for one in self._machine.tables}
        for number in self._state.rows:
            row = self._machine.rows[number]
            if number not in plain:
                plain[number] = to_plain_item(row.item)
            found[row.table][row.key] = plain[number]
        return found

    def items(self, table: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the items of a table by the text of their keys."""
        if table not in self._items:
            raise LookupError(f"there is no table {table!r}: name one of {', '.join(self._items)}")
        return self._items[table]

    def acts(self, partner: str, subject: str | None = None) -> Sequence[Act]:
        """Return what a partner, `function.name`, has in its books, of one saga or of all."""
        if partner not in self._machine.partners:
            known = ", ".join(sorted(self._machine.partners)) or "none"
            raise LookupError(f"there is no partner {partner!r}: there are {known}")
        acts = [self._machine.acts[number] for number in self._state.acts]
        return [act for act in acts if act.partner == partner and subject in (None, act.subject)]

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """What became of requests, and the alarms."""
        return [self._machine.outcomes[number] for number in self._state.outcomes]

    def request(self, outcome: Outcome) -> Mapping[str, Any]:
        """Return the request that an outcome is of, as it was sent."""
        event: Mapping[str, Any] = self._machine.messages[outcome.message].event
        return event

    @property
    def published(self) -> Sequence[Mapping[str, Any]]:
        """The envelopes of all events that the bus has accepted."""
        return [self._machine.messages[number].event for number in self._state.published]

    @property
    def failed(self) -> Sequence[Any]:
        """What is in failure queues: envelopes, and messages of queues."""
        deliveries = [self._machine.deliveries[number] for number in self._state.failed]
        return [self._machine.messages[one.message].event for one in deliveries]

    def spent(self, *names: str) -> int:
        """Return how often these have happened."""
        self._machine.excuses.update(dict.fromkeys(names))
        return self._machine.spent(self._state, *names)


def arguments(act: Act) -> dict[str, Any]:
    """Return what a partner was asked."""
    found: dict[str, Any] = json.loads(act.arguments)
    return found

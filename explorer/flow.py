"""The declared flow of a saga: what every check of a saga follows from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol


class Step(Protocol):
    """A step as a service declares it; see `Transition`."""

    @property
    def publishes(self) -> type | None: ...  # noqa: D102
    @property
    def to(self) -> str: ...  # noqa: D102
    @property
    def failure(self) -> bool: ...  # noqa: D102
    @property
    def pivot(self) -> bool: ...  # noqa: D102
    @property
    def final(self) -> bool: ...  # noqa: D102


class Participant(Protocol):
    """A service's part in a saga, as it declares it."""

    @property
    def consumes(self) -> type | None: ...  # noqa: D102
    @property
    def steps(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def compensates(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True)
class Transition:
    """A step of the saga, from one status to the next.

    before: the status that it starts from; None where the saga begins.
    publishes: the detail-type of the event that reports it.
    failure: it is a business refusal; after a `pivot` the saga only goes forward.
    compensates: the status whose effect it reverses.
    """

    function: str
    before: str | None
    after: str
    publishes: str | None = None
    failure: bool = False
    pivot: bool = False
    final: bool = False
    compensates: str | None = None

    def __str__(self) -> str:
        """Return how it reads in a message."""
        return f"{self.function}: {self.before or 'nothing'} → {self.after}"


@dataclass(frozen=True)
class Flow:
    """The transitions of a saga."""

    transitions: Sequence[Transition] = field(default=())

    @classmethod
    def of(cls, participants: Mapping[str, Participant]) -> Flow:
        """Return the flow that participants declare, by the names of their functions."""
        return cls(
            tuple(
                Transition(
                    function,
                    str(getattr(one.consumes, "status", "")) or None if one.consumes else None,
                    step.to,
                    step.publishes.__name__ if step.publishes else None,
                    failure=step.failure,
                    pivot=step.pivot,
                    final=step.final or step.publishes is None,
                    compensates=one.compensates,
                )
                for function, one in participants.items()
                for step in one.steps
            )
        )

    @cached_property
    def moves(self) -> frozenset[tuple[str, str | None, str]]:
        """Every transition as function, status before and status after."""
        return frozenset((one.function, one.before, one.after) for one in self.transitions)

    @cached_property
    def final(self) -> frozenset[str]:
        """The statuses that end a saga."""
        return frozenset(one.after for one in self.transitions if one.final)

    @cached_property
    def status_of(self) -> Mapping[str, str]:
        """The status that each event reports, by its detail-type."""
        return {one.publishes: one.after for one in self.transitions if one.publishes}

    @cached_property
    def last_event(self) -> Mapping[str, str]:
        """The detail-type of the event that reports each final status that has one."""
        return {one.after: one.publishes for one in self.transitions if one.final and one.publishes}

    def __or__(self, other: Flow) -> Flow:
        """Return a flow with the transitions of both: of two releases that run side by side."""
        return Flow(tuple(dict.fromkeys((*self.transitions, *other.transitions))))

    def after(self, statuses: Iterable[str]) -> frozenset[str]:
        """Return these statuses, and all that can follow on them."""
        found = set(statuses)
        while more := {
            one.after for one in self.transitions if one.before in found and one.after not in found
        }:
            found |= more
        return frozenset(found)

    @cached_property
    def reached(self) -> Mapping[str, frozenset[str]]:
        """The statuses that a saga of each status can have been at, that status among them."""
        statuses = {one.after for one in self.transitions}
        return {
            status: frozenset(one for one in statuses if status in self.after([one]))
            for status in statuses
        }

    @cached_property
    def charged(self) -> frozenset[str]:
        """The statuses from the pivot on."""
        return self.after(one.after for one in self.transitions if one.pivot)

    @cached_property
    def held(self) -> Mapping[str, frozenset[str]]:
        """The statuses in which the effect of each status that can be compensated lasts."""
        found = {}
        for one in self.transitions:
            if one.compensates:
                undone = self.after(
                    other.after
                    for other in self.transitions
                    if other.compensates == one.compensates
                )
                found[one.compensates] = self.after([one.compensates]) - undone
        return found

    def paths(self, before: str | None = None) -> Iterator[tuple[Transition, ...]]:
        """Yield every way of a saga, from its first transition to a final one."""
        for one in self.transitions:
            if one.before == before:
                if one.final:
                    yield (one,)
                else:
                    yield from ((one, *rest) for rest in self.paths(one.after))


@dataclass(frozen=True)
class Saga:
    """Where a saga is stored, and how it goes.

    table, key: the table with an item for each saga, and the attribute that is its key; the detail
        of an event and the body of a response have it under the same name.
    opens: the attribute that an item has as long as its saga is open, where there is one.
    """

    table: str
    key: str
    flow: Flow
    status: str = "status"
    opens: str | None = None

    def is_open(self, item: Mapping[str, Any], final: frozenset[str] | None = None) -> bool:
        """Return whether a saga has not ended, by its item in plain values."""
        if self.opens:
            return self.opens in item
        return item.get(self.status) not in (self.flow.final if final is None else final)

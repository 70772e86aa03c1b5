"""What a service declares of its part in a saga, so that the whole can be drawn and checked."""

from __future__ import annotations

from msgspec import Struct

from plumbing.event import Event


class Step(Struct, frozen=True):
    """A transition of the saga that a service makes.

    publishes: the event's type, whose `status` the step leads to; None for a step that only
        writes, which names its `status` itself.
    failure: the step is a business refusal.
    pivot: after this step the saga only goes forward.
    final: the step ends the saga.
    """

    publishes: type[Event] | None = None
    status: str = ""
    failure: bool = False
    pivot: bool = False
    final: bool = False

    @property
    def to(self) -> str:
        """Return the status that the step leads to; "" if its event has none."""
        return self.status or str(getattr(self.publishes, "status", ""))


class Participant(Struct, frozen=True, kw_only=True):
    """A service of the saga: the event that it consumes, and the steps that it makes on it.

    consumes: the event's type; None for a service that is called over HTTP or by a schedule.
    compensates: the status whose effect this service reverses.
    republishes: the service makes no step; it publishes again what any other has stored.
    """

    consumes: type[Event] | None
    steps: tuple[Step, ...] = ()
    compensates: str | None = None
    republishes: bool = False

    @property
    def publishes(self) -> tuple[type[Event], ...]:
        """Return the types of the events that its steps publish."""
        return tuple(step.publishes for step in self.steps if step.publishes)

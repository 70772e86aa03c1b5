"""What the flow of the saga is, as plain values: read from the services, drawn, and checked.

In JSON the fields are camelCase, and none is ever left out.
"""

from __future__ import annotations

from msgspec import Struct, field

# What a permission has in the place of a list of names that it does not ask for.
ANY = "*"


class Service(Struct, frozen=True, kw_only=True, rename="camel"):
    """A service: what it declares, what its code does, and how it is deployed.

    `hears` and `says` are names of events; `hears_at` is the status that its own copy of the event
    it hears has. `calls` are the HTTP operations and schedules that call it. `builds` are the
    events that its code makes.
    """

    name: str
    does: str
    declared: bool
    deployed: bool
    source: str
    calls: tuple[str, ...]
    hears: str | None
    hears_at: str | None
    says: tuple[str, ...]
    failures: tuple[str, ...]
    pivot: str | None
    ends: tuple[str, ...]
    compensates: str | None
    repeats: bool
    builds: tuple[str, ...]


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event that a service declares to say; `status` is where that leaves the saga.

    `source` is what the bus calls the service that says it. An event is an `end` when its status is
    one, and has a `contract` when a sample and a schema of it are in contracts/.
    """

    name: str
    means: str
    source: str
    said_by: str
    heard_by: tuple[str, ...]
    status: str
    failure: bool
    pivot: bool
    end: bool
    contract: bool


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """A status of a saga, and whether it is over then, and whether it may no longer be undone."""

    name: str
    end: bool
    after_pivot: bool


class Transition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step of a saga: what a service hears at one status, and says when it leaves another.

    It begins at None where the saga does, and says None where the service says nothing.
    """

    start: str | None = field(name="from")
    to: str
    service: str
    hears: str | None
    says: str | None


class Rule(Struct, frozen=True, kw_only=True, rename="camel"):
    """A rule that is deployed: to which service it leads, and which declared events it matches.

    `looks_at` are the parts of an event, besides who says what in which account, that it goes by.
    """

    name: str
    bus: str
    service: str | None
    matches: tuple[str, ...]
    looks_at: tuple[str, ...]


class Permission(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a service may say on a bus: events of these sources and detail-types, `*` for any."""

    service: str
    bus: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]


class Flow(Struct, frozen=True, kw_only=True, rename="camel"):
    """The saga as a whole, from its first event on: `docs/flow/flow.json`."""

    bus: str
    services: tuple[Service, ...]
    events: tuple[Event, ...]
    statuses: tuple[Status, ...]
    transitions: tuple[Transition, ...]
    rules: tuple[Rule, ...]
    permissions: tuple[Permission, ...]

    def event(self, name: str | None) -> Event | None:
        """Answer the event of this name, or None when no service declares that it says it."""
        return next((event for event in self.events if event.name == name), None)

    def service(self, name: str) -> Service:
        """Answer the service of this name."""
        return next(service for service in self.services if service.name == name)

    def leaving(self, status: str | None) -> tuple[Transition, ...]:
        """Answer the transitions that begin at a status."""
        return tuple(one for one in self.transitions if one.start == status)

    def reachable(self, status: str) -> set[str]:
        """Answer all statuses that a saga may come to from this one, itself included."""
        found, look = {status}, [status]
        while look:
            onward = {one.to for one in self.leaving(look.pop())} - found
            found |= onward
            look += onward
        return found

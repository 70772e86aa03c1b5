"""The flow of the saga as plain values: read from the services, checked, and drawn.

In JSON the fields are camelCase, and none is ever left out.
"""

from __future__ import annotations

from msgspec import Struct, field

# In a permission, in place of a list of names that it does not restrict.
ANY = "*"


class Service(Struct, frozen=True, kw_only=True, rename="camel"):
    """A service: what it declares, and how it is deployed.

    `consumes` and `publishes` are names of events; `consumes_at` is the status in its own copy of
    the event that it consumes. `calls` are the HTTP operations and schedules that call it.
    """

    name: str
    does: str
    declared: bool
    deployed: bool
    source: str
    calls: tuple[str, ...]
    consumes: str | None
    consumes_at: str | None
    publishes: tuple[str, ...]
    final_statuses: tuple[str, ...]
    compensates: str | None
    republishes: bool


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event that a service declares to publish; `status` is the saga's status after it.

    `source` is the producer's name on the bus. An event is `final` when its status ends the saga,
    and has a `contract` when a sample and a schema of it are in contracts/.
    """

    name: str
    means: str
    source: str
    producer: str
    consumers: tuple[str, ...]
    status: str
    failure: bool
    pivot: bool
    final: bool
    contract: bool


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """A status of a saga: `final` if it ends the saga, `after_pivot` if it only goes forward."""

    name: str
    final: bool
    after_pivot: bool


class Transition(Struct, frozen=True, kw_only=True, rename="camel"):
    """A step of a saga: what a service consumes at one status, and publishes at the next.

    The first step begins at None. A step that publishes no event has None.
    """

    start: str | None = field(name="from")
    to: str
    service: str
    consumes: str | None
    publishes: str | None


class Rule(Struct, frozen=True, kw_only=True, rename="camel"):
    """A deployed rule: the service that it leads to, and the declared events that it matches.

    `looks_at` are the fields that it matches besides source, detail-type and account.
    """

    name: str
    bus: str
    service: str | None
    matches: tuple[str, ...]
    looks_at: tuple[str, ...]


class Permission(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a service may publish on a bus: sources and detail-types, `*` for any."""

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
        """Return the event of this name, or None when no service declares it."""
        return next((event for event in self.events if event.name == name), None)

    def service(self, name: str) -> Service:
        """Return the service of this name."""
        return next(service for service in self.services if service.name == name)

    @property
    def consumers(self) -> tuple[str, ...]:
        """The services that consume an event, in the order of the saga."""
        return tuple(service.name for service in self.services if service.consumes)

    def outcome(self, status: str) -> str:
        """Return how a saga ends at a final status: completed, failed or compensated."""
        steps = [one for one in self.transitions if one.to == status]
        if any(self.service(one.service).compensates for one in steps):
            return "compensated"
        events = [self.event(one.publishes) for one in steps]
        return "failed" if any(event and event.failure for event in events) else "completed"

    def leaving(self, status: str | None) -> tuple[Transition, ...]:
        """Return the transitions that begin at a status."""
        return tuple(one for one in self.transitions if one.start == status)

    def reachable(self, status: str) -> set[str]:
        """Return all statuses that a saga can reach from this one, itself included."""
        found, look = {status}, [status]
        while look:
            onward = {one.to for one in self.leaving(look.pop())} - found
            found |= onward
            look += onward
        return found

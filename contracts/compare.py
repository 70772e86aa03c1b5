"""Compare the events of two releases: what changed, whether it breaks, and which consumers.

Events are carried whole: a consumer gets every field that a service before it published, whatever
lies between declares. Events of the old release are in flight for up to 15 days, and orders of it
are stored for as long as they are open, so both releases have to understand both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from contracts.surface import DOOR, Event, Field, Fields, Surface

NUMBER, TEXT, ITEMS = ("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")
BOUNDS = (NUMBER, TEXT, ITEMS)


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of an event, on the side of one service.

    breaks: why no order of deployment makes it safe, "" if there is one.
    first: the services that have to be deployed before this one.
    """

    event: str
    service: str
    change: str
    breaks: str = ""
    first: str = ""

    def __str__(self) -> str:
        """Return it as a line."""
        line = f"{self.service}: {self.change}"
        line += f". BREAKS: {self.breaks}" if self.breaks else ""
        return line + (f". Deploy {self.first} first" if self.first else "")


def compare(old: Surface, new: Surface) -> list[Difference]:
    """Return what changed from one release to the next, by event."""
    found: list[Difference] = []
    for name in sorted({*old.events, *new.events}):
        before, after = old.events.get(name), new.events.get(name)
        if before is None and after is not None:
            found.append(_difference(name, after.producer, "the event is added"))
        elif after is None and before is not None:
            found += _removed(name, before)
        elif before is not None and after is not None:
            found += _published(old, new, name, before, after)
            found += _consumed(old, name, before, after)
            found += _mixed(old, new, name, before, after)
    for status in sorted({*old.statuses, *new.statuses}):
        if status not in new.statuses:
            breaks = "stored orders have it, and no service takes them on"
            breaks = "" if status in old.final else breaks
            found.append(_difference("status", old.statuses[status], f"{status} is gone", breaks))
        elif status not in old.statuses:
            change = f"{status} is added: `saga explore --from` has to pass"
            found.append(_difference("status", new.statuses[status], change))
    return found


def accepts(consumer: Mapping[str, Any], producer: Mapping[str, Any]) -> bool:
    """Return whether every value that one schema allows is allowed by another.

    Both are schemas of a field as msgspec writes them. What is not known to be allowed is not.
    """
    if options := producer.get("anyOf"):
        return all(accepts(consumer, option) for option in options)
    if options := consumer.get("anyOf"):
        return any(accepts(option, producer) for option in options)
    if "enum" in consumer:
        return set(map(repr, producer.get("enum", [object()]))) <= set(map(repr, consumer["enum"]))
    if "enum" in producer:
        kinds = {_kind(value) for value in producer["enum"]}
        return all(_is(consumer.get("type"), kind) for kind in kinds)
    if not _is(consumer.get("type"), producer.get("type")):
        return False
    for key in ("format", "pattern", "$ref"):
        if key in consumer and consumer[key] != producer.get(key):
            return False
    for least, most in BOUNDS:
        if consumer.get(least, -(10**30)) > producer.get(least, -(10**30)):
            return False
        if consumer.get(most, 10**30) < producer.get(most, 10**30):
            return False
    if "items" in consumer:
        return accepts(consumer["items"], producer.get("items", {}))
    return True


def on_the_wire(surface: Surface, name: str) -> Fields:
    """Return the fields of an event as they are on the bus: carried ones and declared ones."""
    fields: Fields = {}
    for before in _chain(surface, name):
        fields = {**surface.events[before].adds, **fields}
    return fields


def _removed(name: str, event: Event) -> Iterator[Difference]:
    hurt = _names(event.consumers)
    breaks = f"events in flight have no consumer; {hurt} consumed it" if hurt else ""
    yield _difference(name, event.producer, "the event is removed", breaks)


def _published(
    old: Surface, new: Surface, name: str, before: Event, after: Event
) -> Iterator[Difference]:
    if before.producer != after.producer:
        change = f"published by it instead of by {before.producer}"
        yield _difference(name, after.producer, change, "rules match the producer's source")
    for field in _declared_by_either(before.adds, after.adds):
        wires = on_the_wire(old, name), on_the_wire(new, name)
        change = _change(*(wire.get(field) for wire in wires))
        if not change:
            continue
        hurt, deployed = (_hurt(old, new, name, field, release) for release in (new, old))
        yield Difference(
            event=name,
            service=after.producer,
            change=f"{field} {change}",
            breaks=f"{_names(hurt)} cannot read it" if hurt else "",
            first="" if hurt else _names(deployed),
        )


def _hurt(old: Surface, new: Surface, name: str, field: str, release: Surface) -> list[str]:
    """Return the consumers of a release that could read a field and cannot any more.

    Also those of the events that follow on this one, which carry the field.
    """
    return [
        service
        for later, event in release.events.items()
        if name in _chain(new, later)
        for service, fields in event.consumers.items()
        if _fits(fields, on_the_wire(old, later), field)
        and not _fits(fields, on_the_wire(new, later), field)
    ]


def _mixed(
    old: Surface, new: Surface, name: str, before: Event, after: Event
) -> Iterator[Difference]:
    """Yield the fields that each release has by itself, and a mix of both has not."""
    was, now = on_the_wire(old, name), on_the_wire(new, name)
    adders = [
        {event: _required(surface.events[event].adds) for event in _chain(surface, name)}
        for surface in (old, new)
    ]
    for service, fields in {**before.consumers, **after.consumers}.items():
        for field in sorted(_required(fields) & _required(was) & _required(now)):
            places = [[e for e, added in one.items() if field in added] for one in adders]
            if not set(places[0]) & set(places[1]):
                producer = new.events[places[0][0]].producer if places[0] else after.producer
                yield _difference(
                    name,
                    service,
                    f"{field} is added by another service",
                    f"an event of the old release lacks it after the new {producer}",
                )


def _chain(surface: Surface, name: str) -> list[str]:
    """Return an event and those that it follows on, the nearest first."""
    chain: list[str] = []
    following: str | None = name
    while following in surface.events and following not in chain:
        chain.append(following)
        following = surface.events[following].follows
    return chain


def _required(fields: Fields) -> set[str]:
    return {name for name, field in fields.items() if field.required}


def _consumed(old: Surface, name: str, before: Event, after: Event) -> Iterator[Difference]:
    was = on_the_wire(old, name)
    for service in sorted({*before.consumers, *after.consumers}):
        fields, once = after.consumers.get(service), before.consumers.get(service)
        if fields is None:
            yield _difference(name, service, "no longer consumes it", _unheard(after))
        elif once is None:
            yield _difference(name, service, "consumes it now")
        else:
            for field in _declared_by_either(once, fields):
                change = _change(once.get(field), fields.get(field))
                if change:
                    yield _difference(
                        name, service, f"{field} {change}", _reads(name, was, once, fields, field)
                    )


def _unheard(after: Event) -> str:
    return "" if after.consumers else "events in flight, and those of stored orders, have none"


def _reads(name: str, was: Fields, once: Fields, fields: Fields, field: str) -> str:
    """Return why a consumer cannot read a field of events in flight, "" if it can."""
    now = fields.get(field)
    if name == DOOR:  # the producer is whoever orders: what it sends is what was asked for
        was = once
    if now is None or (field in once and not _fits(once, was, field)):
        return ""
    what = "what clients send" if name == DOOR else "what is in flight"
    if now.required and (field not in was or not was[field].required):
        return f"{what} lacks it: give it a default"
    if field in was and not accepts(now.part, was[field].part):
        return f"{what} may have other values"
    return ""


def _fits(consumer: Fields, wire: Fields, field: str) -> bool:
    """Return whether a consumer can read a field as it is on the wire."""
    wanted, there = consumer.get(field), wire.get(field)
    if wanted is None:
        return True
    if there is None or not there.required:
        return not wanted.required and (there is None or accepts(wanted.part, there.part))
    return accepts(wanted.part, there.part)


def _change(before: Field | None, after: Field | None) -> str:
    """Return how a field changed, "" if it did not."""
    if before is None or after is None:
        if after is not None:
            return f"is added, {'required' if after.required else 'with a default'}"
        return "is removed" if before is not None else ""
    words = []
    if before.required != after.required:
        words.append("becomes required" if after.required else "becomes optional")
    old, new = _plain(before.part), _plain(after.part)
    if old != new:
        wider, narrower = accepts(new, old), accepts(old, new)
        words.append("is widened" if wider else "is narrowed" if narrower else "is of another type")
    return " and ".join(words)


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "default"}


def _is(wanted: Any, kind: Any) -> bool:
    return wanted is None or wanted == kind or (wanted, kind) == ("number", "integer")


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "integer", str: "string", type(None): "null"}
    return kinds.get(type(value), "number")


def _declared_by_either(one: Fields, other: Fields) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _names(services: Any) -> str:
    return ", ".join(sorted(services))


def _difference(event: str, service: str, change: str, breaks: str = "") -> Difference:
    return Difference(event=event, service=service, change=change, breaks=breaks)

"""The transactional outbox: an event is stored with the change that it reports, then published."""

from __future__ import annotations

import msgspec

from plumbing.event import Detail, Event, detail_of, differing_fields, digest_of


class EventMismatchError(Exception):
    """An event refers to an item that is not stored, or differs from what is stored of it."""


class OutboxEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An event as it is stored in an item's `outbox`: source, detail-type, detail as JSON text.

    The text is stored, not the struct, so that every publication has the same bytes. `digest` is
    that of the detail. It is "" where none is stored: with a saga's last event, which no step
    follows, and in the items of releases before there were digests.
    """

    source: str
    detail_type: str
    detail: str
    digest: str = ""

    @classmethod
    def of(cls, source: str, event: Event) -> OutboxEvent:
        """Encode `event`; its detail-type is exactly the name of its class."""
        detail = detail_of(event)
        text = msgspec.json.encode(detail).decode()
        return cls(source, type(event).__name__, text, digest_of(detail))

    def require(self, delivered: Detail) -> None:
        """Raise EventMismatchError, naming the fields, unless this is the event `delivered`."""
        digest = digest_of(delivered)
        if self.digest == digest:
            return
        stored = msgspec.json.decode(self.detail)
        if self.digest or digest_of(stored) != digest:
            names = ", ".join(differing_fields(stored, delivered))
            raise EventMismatchError(f"the event differs from what is stored in {names}")

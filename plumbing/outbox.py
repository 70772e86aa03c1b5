"""The transactional outbox: an event is stored with the change that it reports, then published."""

from __future__ import annotations

import msgspec


class OutboxEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event as it is stored in an item's `outbox`: source, detail-type, and detail as JSON text.

    The text is stored, not the struct, so that every publication has the same bytes.
    """

    source: str
    detail_type: str
    detail: str

    @classmethod
    def of(cls, source: str, event: msgspec.Struct) -> OutboxEvent:
        """Encode `event`; its detail-type is exactly the name of its class."""
        return cls(source, type(event).__name__, msgspec.json.encode(event).decode())

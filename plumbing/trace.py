"""Carry a caller's trace through events: W3C Trace Context, passed on unchanged.

The services open no spans of their own, so the parent stays the caller's. A tracing backend joins
the spans of the caller, and of an agent around a function, by it.
"""

import re
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

PATTERN = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
Traceparent = Annotated[str, Meta(pattern=PATTERN)]
# A point in time: UTC, ISO 8601, to the millisecond, so that it sorts as text.
Timestamp = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]

_HEADER = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TracedEvent(Protocol):
    """What every event carries: when its saga began, and the trace that it belongs to."""

    @property
    def created_at(self) -> str:
        """When its saga began."""

    @property
    def traceparent(self) -> str:
        """The caller's place in a trace."""


def traceparent(header: str | None, otherwise: UUID) -> str:
    """Return the `traceparent` to pass on: the caller's, or that of a trace that begins here.

    A missing or invalid header begins a trace whose id is `otherwise`. Source: "Trace
    Context", W3C recommendation, section 4.3.
    """
    match = _HEADER.fullmatch((header or "").strip())
    if match:
        version, trace, parent, flags, more = match.groups()
        # Versions after 00 may have more parts; the first four stay what they are.
        known = version != "ff" and not (version == "00" and more)
        if known and int(trace, 16) and int(parent, 16):
            return f"00-{trace}-{parent}-{flags}"
    return f"00-{otherwise.hex}-{otherwise.hex[16:]}-01"


def trace_id(event: TracedEvent) -> str:
    """Return the id of the trace that an event belongs to."""
    return event.traceparent.split("-")[1]

"""Carry a caller's trace through events: W3C Trace Context, passed on as it came.

The services open no spans of their own, so the parent stays the caller's: a backend that collects
the spans of whoever does, the caller or an agent around a function, joins them by it.
"""

import re
from typing import Annotated, Protocol
from uuid import UUID

from msgspec import Meta

PATTERN = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
Traceparent = Annotated[str, Meta(pattern=PATTERN)]
# When something was made: UTC, ISO 8601, to the millisecond, so that it sorts as text.
Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]

_HEADER = re.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Traced(Protocol):
    """What an event carries besides its meaning: when its saga began, and in which trace."""

    @property
    def created_at(self) -> str:
        """When its saga began."""

    @property
    def traceparent(self) -> str:
        """The caller's place in a trace."""


def traceparent(header: str | None, otherwise: UUID) -> str:
    """Answer the `traceparent` to pass on: the caller's, or a trace's that begins here.

    One that is missing or not valid begins a trace that is called like `otherwise`. Source: "Trace
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


def trace_id(traced: Traced) -> str:
    """Answer the id of the trace that an event belongs to."""
    return traced.traceparent.split("-")[1]

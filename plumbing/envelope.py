"""Decode what EventBridge delivers into the struct that a service consumes."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from plumbing.event import Event
from plumbing.untrusted import printable

Kind = TypeVar("Kind", bound=Event)


class EnvelopeError(ValueError):
    """The delivered event is not one that the service consumes; the message names what is wrong."""

    def __init__(self, message: str) -> None:
        # The runtime client ends on a message that it cannot write as UTF-8.
        super().__init__(printable(message))


class Envelope(msgspec.Struct, frozen=True):
    """The part of EventBridge's envelope that decides how to read the detail.

    Source: "Events structure reference", Amazon EventBridge user guide.
    """

    detail_type: str = msgspec.field(name="detail-type")
    detail: dict[str, Any]


def decode(delivered: object, kind: type[Kind]) -> Kind:
    """Return the detail of the `delivered` envelope as a `kind`.

    All of the detail is `carried`, also the fields that `kind` does not declare. Raises
    EnvelopeError, naming the field, when one is missing or of the wrong type, when the detail-type
    is not the name of `kind`, or when the detail cannot be carried on.
    """
    reading = "envelope"
    try:
        envelope = msgspec.convert(delivered, Envelope)
        reading = kind.__name__
        if envelope.detail_type != reading:
            raise EnvelopeError(
                f"expected detail-type {reading}, got {envelope.detail_type}: check the rule"
            )
        # What cannot be written as JSON was published by no service, and cannot be carried on.
        msgspec.json.encode(envelope.detail)
        event = msgspec.convert({**envelope.detail, "carried": envelope.detail}, kind)
        if created_at := getattr(event, "created_at", None):
            datetime.fromisoformat(created_at)  # the pattern of a Timestamp knows no calendar
    except EnvelopeError:
        raise
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        raise EnvelopeError(f"{reading}: {error}") from error
    return event

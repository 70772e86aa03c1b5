"""Decode what EventBridge delivers into the struct that a service consumes."""

from typing import Any, TypeVar

import msgspec

from plumbing.event import Event

Kind = TypeVar("Kind", bound=Event)


class EnvelopeError(ValueError):
    """The delivered event is not one that the service consumes; the message names what is wrong."""


class Envelope(msgspec.Struct, frozen=True):
    """The part of EventBridge's envelope that decides how to read the detail.

    Source: "Events structure reference", Amazon EventBridge user guide.
    """

    detail_type: str = msgspec.field(name="detail-type")
    detail: dict[str, Any]


def decode(delivered: object, kind: type[Kind]) -> Kind:
    """Return the detail of the `delivered` envelope as a `kind`.

    All of the detail is `carried`, also the fields that `kind` does not declare. Raises
    EnvelopeError, naming the field, when one is missing or of the wrong type, or when the
    detail-type is not the name of `kind`.
    """
    try:
        envelope = msgspec.convert(delivered, Envelope)
    except msgspec.ValidationError as error:
        raise EnvelopeError(f"envelope: {error}") from error
    if envelope.detail_type != kind.__name__:
        raise EnvelopeError(
            f"expected detail-type {kind.__name__}, got {envelope.detail_type}: check the rule"
        )
    try:
        msgspec.json.encode(envelope.detail)
    except (OverflowError, UnicodeEncodeError, RecursionError) as error:
        # What cannot be written as JSON was published by no service, and cannot be carried on.
        raise EnvelopeError(f"{kind.__name__}: {error}") from error
    try:
        return msgspec.convert({**envelope.detail, "carried": envelope.detail}, kind)
    except msgspec.ValidationError as error:
        raise EnvelopeError(f"{kind.__name__}: {error}") from error

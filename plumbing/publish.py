"""Say an event on the bus; the one place in the repository that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class PublishError(Exception):
    """The bus did not accept an event; the message has its code and reason."""


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    """An event ready to be said: who says it, what it is, and its detail as JSON text.

    The text is kept, not the struct, so that an event said again is the same to the byte.
    """

    source: str
    detail_type: str
    detail: str

    @classmethod
    def of(cls, source: str, event: msgspec.Struct) -> Entry:
        """Encode `event`; its detail-type is exactly the name of its class."""
        return cls(source, type(event).__name__, msgspec.json.encode(event).decode())


class Publish(Protocol):
    """Say events on a bus."""

    def __call__(self, *entries: Entry) -> None:
        """Say them; raises PublishError unless every one of them was accepted."""


def publisher(client: EventBridgeClient, bus: str) -> Publish:
    """Answer a `Publish` onto the bus of this name."""

    def publish(*entries: Entry) -> None:
        answer = client.put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": entry.source,
                    "DetailType": entry.detail_type,
                    "Detail": entry.detail,
                }
                for entry in entries
            ]
        )
        # PutEvents answers 200 also when it took none of them: each entry has its own verdict.
        refused = [
            f"{entry.detail_type}: {result['ErrorCode']} ({result.get('ErrorMessage', '')})"
            for entry, result in zip(entries, answer["Entries"], strict=True)
            if "ErrorCode" in result
        ]
        if refused or answer["FailedEntryCount"]:
            raise PublishError(f"bus {bus} refused {'; '.join(refused) or 'an event'}")

    return publish

"""Publish events on the bus; the one place in the repository that does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from plumbing.outbox import OutboxEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class PublishError(Exception):
    """The bus did not accept an event; the message has its code and reason."""


class Publish(Protocol):
    """Publish events on a bus."""

    def __call__(self, *events: OutboxEvent) -> None:
        """Publish them; raises PublishError unless the bus accepted every one of them."""


def publisher(client: EventBridgeClient, bus: str) -> Publish:
    """Return a `Publish` to the bus of this name."""

    def publish(*events: OutboxEvent) -> None:
        response = client.put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": event.source,
                    "DetailType": event.detail_type,
                    "Detail": event.detail,
                }
                for event in events
            ]
        )
        # PutEvents returns 200 even when it accepted none of them: each entry has its own result.
        refused = [
            f"{event.detail_type}: {result['ErrorCode']} ({result.get('ErrorMessage', '')})"
            for event, result in zip(events, response["Entries"], strict=True)
            if "ErrorCode" in result
        ]
        if refused or response["FailedEntryCount"]:
            raise PublishError(f"bus {bus} refused {'; '.join(refused) or 'an event'}")

    return publish

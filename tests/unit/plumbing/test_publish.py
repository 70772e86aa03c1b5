"""Publishing: on this bus, and an error unless every event is accepted."""

from typing import Any

import pytest

from explorer.memory import MemoryEvents
from plumbing.outbox import OutboxEvent
from plumbing.publish import PublishError, publisher

SHIPPED = OutboxEvent("parcels", "Shipped", "{}")


class Answering:
    """A client whose bus gives one response."""

    def __init__(self, **response: Any) -> None:
        self._response = response

    def put_events(self, **_: Any) -> Any:
        return self._response


def _publish(client: Any, *events: OutboxEvent) -> None:
    publisher(client, "the bus")(*events)


def test_an_event_goes_to_the_bus_as_it_is_stored() -> None:
    events = MemoryEvents()

    _publish(events, OutboxEvent("parcels", "Shipped", '{"a": 1}', digest="any"))

    assert events.published == [
        {
            "EventBusName": "the bus",
            "Source": "parcels",
            "DetailType": "Shipped",
            "Detail": '{"a": 1}',
        }
    ]


@pytest.mark.parametrize(
    ("count", "entry", "message"),
    [
        (1, {"ErrorCode": "Odd", "ErrorMessage": "no"}, r"refused Shipped: Odd \(no\)$"),
        (1, {"ErrorCode": "Odd"}, r"refused Shipped: Odd \(\)$"),
        (0, {"ErrorCode": "Odd"}, r"refused Shipped: Odd \(\)$"),
        (1, {}, "bus the bus refused an event$"),
    ],
)
def test_an_entry_that_is_refused_or_counted_as_such_is_an_error(
    count: int, entry: dict[str, str], message: str
) -> None:
    client = Answering(FailedEntryCount=count, Entries=[entry])

    with pytest.raises(PublishError, match=message):
        _publish(client, SHIPPED)


def test_a_response_with_fewer_entries_than_events_is_an_error() -> None:
    client = Answering(FailedEntryCount=0, Entries=[{"EventId": "1"}])

    with pytest.raises(ValueError, match="zip"):
        _publish(client, SHIPPED, SHIPPED)

"""The mechanism: settings, envelopes, publishing, the log."""

import json

import msgspec
import pytest

from plumbing.envelope import EnvelopeError, decode
from plumbing.log import log
from plumbing.publish import Entry, PublishError, publisher
from plumbing.settings import SettingsError, read_settings
from tests.memory import MemoryEvents


class Settings(msgspec.Struct, frozen=True):
    """Settings of a service."""

    event_bus_name: str
    orders_table: str


class Shipped(msgspec.Struct, frozen=True, rename="camel"):
    """An event."""

    parcel_id: str
    grams: int


DELIVERED = {"detail-type": "Shipped", "detail": {"parcelId": "P-1", "grams": 5}}


def test_settings_are_read_from_variables_of_their_names() -> None:
    settings = read_settings(Settings, {"EVENT_BUS_NAME": "bus", "ORDERS_TABLE": "orders"})

    assert settings == Settings("bus", "orders")


def test_every_absent_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="set EVENT_BUS_NAME, ORDERS_TABLE"):
        read_settings(Settings, {"ORDERS_TABLE": ""})


def test_a_detail_is_decoded_and_what_is_new_in_it_ignored() -> None:
    delivered = {**DELIVERED, "detail": {**DELIVERED["detail"], "colour": "red"}, "version": "0"}  # type: ignore[dict-item]

    heard = decode(delivered, Shipped)

    assert heard == Shipped("P-1", 5)


@pytest.mark.parametrize(
    ("delivered", "named"),
    [
        ([], "envelope: Expected `object`, got `array`"),
        ({"detail": {}}, "envelope: .* `detail-type`"),
        ({"detail-type": "Shipped", "detail": "text"}, r"envelope: .* `\$.detail`"),
        ({"detail-type": "Returned", "detail": {}}, "expected detail-type Shipped, got Returned"),
        ({"detail-type": "Shipped", "detail": {"grams": 5}}, "Shipped: .* `parcelId`"),
        (
            {"detail-type": "Shipped", "detail": {"parcelId": "P-1", "grams": "5"}},
            r"Shipped: Expected `int`, got `str` - at `\$.grams`",
        ),
    ],
)
def test_what_is_wrong_with_an_event_is_named(delivered: object, named: str) -> None:
    with pytest.raises(EnvelopeError, match=named):
        decode(delivered, Shipped)


def test_an_entry_has_the_name_of_the_class_and_the_detail_as_text() -> None:
    entry = Entry.of("parcels", Shipped("P-1", 5))

    assert entry == Entry("parcels", "Shipped", '{"parcelId":"P-1","grams":5}')


def test_one_refused_entry_among_several_is_an_error_that_names_it() -> None:
    class Choosy(MemoryEvents):
        def put_events(self, **request: object) -> object:
            accepted, refused = {"EventId": "1"}, {"ErrorCode": "Odd", "ErrorMessage": "no"}
            return {"FailedEntryCount": 1, "Entries": [accepted, refused]}

    publish = publisher(Choosy(), "bus")  # type: ignore[arg-type]

    with pytest.raises(PublishError, match=r"bus refused Returned: Odd \(no\)$"):
        publish(Entry("parcels", "Shipped", "{}"), Entry("parcels", "Returned", "{}"))


def test_a_log_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    log("INFO", "parcel shipped", parcelId="P-1")

    assert json.loads(capsys.readouterr().out) == {
        "level": "INFO",
        "message": "parcel shipped",
        "parcelId": "P-1",
    }

"""The mechanism: settings, envelopes, publishing, traces, the log."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from time import perf_counter
from uuid import UUID

import msgspec
import pytest

from explorer.memory import MemoryEvents
from plumbing import log as logging
from plumbing.envelope import EnvelopeError, decode
from plumbing.event import Event
from plumbing.log import StepLog, log
from plumbing.outbox import OutboxEvent
from plumbing.participant import Participant, Step
from plumbing.publish import PublishError, publisher
from plumbing.settings import SettingsError, read_settings
from plumbing.step import SagaState
from plumbing.trace import traceparent


class Settings(msgspec.Struct, frozen=True):
    """Settings of a service."""

    event_bus_name: str
    orders_table: str


class Shipped(Event, frozen=True, kw_only=True):
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


def test_a_detail_is_decoded_and_all_of_it_carried() -> None:
    delivered = {**DELIVERED, "detail": {**DELIVERED["detail"], "colour": "red"}, "version": "0"}  # type: ignore[dict-item]

    event = decode(delivered, Shipped)

    assert event == Shipped(parcel_id="P-1", grams=5, carried=delivered["detail"])  # type: ignore[arg-type]


NESTED: list[object] = []
for _ in range(2_000):
    NESTED = [NESTED]


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
        ({"detail-type": "Shipped", "detail": {"note": "\ud800"}}, "Shipped: .*surrogates"),
        ({"detail-type": "\ud800\x1b", "detail": {}}, r"got \\ud800\\x1b: check the rule"),
        ({"detail-type": "\x1b[2J", "detail": {}}, r"got \\x1b\[2J: check the rule"),
        ({"detail-type": "L" * 300_000, "detail": {}}, "got L+…$"),
        ("\ud800", "envelope: "),
        ({"detail-type": "Shipped", "detail": {"note": 2**64}}, "Shipped: "),
        ({"detail-type": "Shipped", "detail": {"note": NESTED}}, "Shipped: .*recursion"),
    ],
)
def test_what_is_wrong_with_an_event_is_named(delivered: object, named: str) -> None:
    with pytest.raises(EnvelopeError, match=named):
        decode(delivered, Shipped)


def test_an_entry_has_the_name_of_the_class_and_the_detail_as_text() -> None:
    outbox = OutboxEvent.of("parcels", Shipped(parcel_id="P-1", grams=5))

    digest = sha256(b'{"grams":5,"parcelId":"P-1"}').hexdigest()
    assert outbox == OutboxEvent("parcels", "Shipped", '{"parcelId":"P-1","grams":5}', digest)


def test_one_refused_entry_among_several_is_an_error_that_names_it() -> None:
    class Choosy(MemoryEvents):
        def call(self, operation: str, parameters: object) -> object:
            accepted, refused = {"EventId": "1"}, {"ErrorCode": "Odd", "ErrorMessage": "no"}
            return {"FailedEntryCount": 1, "Entries": [accepted, refused]}

    publish = publisher(Choosy(), "bus")  # type: ignore[arg-type]

    with pytest.raises(PublishError, match=r"bus refused Returned: Odd \(no\)$"):
        publish(OutboxEvent("parcels", "Shipped", "{}"), OutboxEvent("parcels", "Returned", "{}"))


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ELSE = UUID("94f7a3c2-5d1b-4e8a-9c60-2b7d8f01e3a5")


@pytest.mark.parametrize("header", [f"00-{TRACE}-{SPAN}-01", f" 01-{TRACE}-{SPAN}-01-more "])
def test_a_callers_trace_is_passed_on(header: str) -> None:
    assert traceparent(header, ELSE) == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
    ],
)
def test_without_a_valid_trace_one_begins_that_is_always_the_same(header: str | None) -> None:
    assert traceparent(header, ELSE) == f"00-{ELSE.hex}-{ELSE.hex[16:]}-01"


def test_a_log_line_is_json_and_the_first_of_a_process_is_marked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "_lines", 0)

    log("INFO", "parcel shipped", parcelId="P-1")
    log("INFO", "parcel shipped", parcelId="P-2")

    line = {"level": "INFO", "message": "parcel shipped"}
    assert [json.loads(one) for one in capsys.readouterr().out.splitlines()] == [
        {**line, "coldStart": True, "parcelId": "P-1"},
        {**line, "coldStart": False, "parcelId": "P-2"},
    ]


class Sent(Event, frozen=True, kw_only=True):
    """An event with what every event carries."""

    created_at: str
    traceparent: str


@pytest.mark.parametrize(
    ("status", "applied", "outcome", "published"),
    [
        ("SHIPPED", True, "applied", "Shipped"),
        ("SHIPPED", False, "duplicate", "Shipped"),
        ("RETURNED", False, "stale", None),
    ],
)
def test_a_step_is_logged_with_its_outcome_and_time_and_only_an_applied_one_is_measured(
    capsys: pytest.CaptureFixture[str],
    status: str,
    applied: bool,
    outcome: str,
    published: str | None,
) -> None:
    participant = Participant(consumes=Sent, steps=(Step(publishes=Shipped, status="SHIPPED"),))
    log_step = StepLog("Parcels", "ship", participant)
    sent = Sent(created_at="2026-01-31T09:00:00.000Z", traceparent=f"00-{TRACE}-{SPAN}-01")
    since = datetime(2026, 1, 31, 9, tzinfo=UTC)
    state = SagaState(status, OutboxEvent("parcels", "Shipped", "{}"), since, applied)

    log_step("parcel shipped", sent, state, perf_counter(), parcelId="P-1")

    line = json.loads(capsys.readouterr().out)
    assert (line["traceId"], line["outcome"], line["parcelId"]) == (TRACE, outcome, "P-1")
    assert (line["function"], line["status"]) == ("ship", status)
    assert (line["consumed"], line.get("published")) == ("Sent", published)
    assert 0 <= line["stepMilliseconds"] < line["ageMilliseconds"]
    assert ("_aws" in line) == applied
    if applied:
        [metrics] = line["_aws"]["CloudWatchMetrics"]
        named = [metric["Name"] for metric in metrics["Metrics"]]
        assert metrics["Dimensions"] == [["function", "status"]]
        assert named == ["stepMilliseconds", "ageMilliseconds"]

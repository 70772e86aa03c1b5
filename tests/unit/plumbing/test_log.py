"""A log line is the metric too: what is in it, to the figure."""

import importlib.util
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from plumbing import log as logging
from plumbing.event import Event
from plumbing.log import ErrorLog, StepLog, embedded_metrics, log
from plumbing.outbox import OutboxEvent
from plumbing.participant import Participant, Step
from plumbing.step import SagaState

NOW = datetime(2026, 1, 31, 9, 0, 3, 125_000, tzinfo=UTC)
SHIPPED = OutboxEvent("parcels", "Shipped", "{}")


class Packed(Event, frozen=True, kw_only=True):
    """An event with what every event carries."""

    created_at: str
    traceparent: str


class Shipped(Event, frozen=True, kw_only=True):
    """The event that follows."""


PACKED = Packed(
    created_at="2026-01-31T09:00:00.000Z",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


class Frozen(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture(autouse=True)
def clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "datetime", Frozen)
    monkeypatch.setattr(logging, "_lines", 1)
    monkeypatch.setattr("time.perf_counter", lambda: 12.34567)
    monkeypatch.setattr("time.time", lambda: NOW.timestamp())


def _metrics(dimensions: list[str], names: list[str]) -> dict[str, Any]:
    metrics = {
        "Namespace": "Parcels",
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name} for name in names],
    }
    return {"Timestamp": round(1000 * NOW.timestamp()), "CloudWatchMetrics": [metrics]}


def test_a_step_that_is_applied_is_logged_with_its_times_and_its_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    participant = Participant(consumes=Packed, steps=(Step(publishes=Shipped, status="SHIPPED"),))
    state = SagaState("SHIPPED", SHIPPED, NOW, applied=True)

    StepLog("Parcels", "ship", participant)("parcel shipped", PACKED, state, 12.0, parcelId="P-1")

    assert json.loads(capsys.readouterr().out) == {
        "level": "INFO",
        "message": "parcel shipped",
        "coldStart": False,
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "parcelId": "P-1",
        "consumed": "Packed",
        "published": "Shipped",
        "outcome": "applied",
        "function": "ship",
        "status": "SHIPPED",
        "stepMilliseconds": 345.7,
        "ageMilliseconds": 3125,
        "_aws": _metrics(["function", "status"], ["stepMilliseconds", "ageMilliseconds"]),
    }


def test_a_step_that_consumes_and_publishes_nothing_says_so_by_leaving_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    participant = Participant(consumes=None, steps=(Step(status="LOST"), Step(publishes=Shipped)))
    state = SagaState("LOST", SHIPPED, NOW)

    StepLog("Parcels", "lose", participant)("parcel lost", PACKED, state, 12.0)

    line = json.loads(capsys.readouterr().out)
    assert line["outcome"] == "duplicate"
    assert not {"consumed", "published", "_aws"} & line.keys()


def test_an_error_is_logged_with_its_reason_and_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_lost = ErrorLog("Parcels", "lostParcels", {"van": "V-1"})

    log_lost("parcel not found", LookupError("it is nowhere"), parcelId="P-1")

    assert json.loads(capsys.readouterr().out) == {
        "level": "ERROR",
        "message": "parcel not found",
        "coldStart": False,
        "reason": "LookupError: it is nowhere",
        "parcelId": "P-1",
        "van": "V-1",
        "lostParcels": 1,
        "_aws": _metrics(["van"], ["lostParcels"]),
    }


def test_metrics_have_the_time_in_milliseconds() -> None:
    fields = embedded_metrics("Parcels", {"van": "V-1"}, {"kilometres": 7})

    assert fields == {"van": "V-1", "kilometres": 7, "_aws": _metrics(["van"], ["kilometres"])}


def test_a_line_is_written_whole_and_flushed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lambda(io.StringIO):
        """Keeps what was flushed: the process may be frozen after that."""

        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    stdout = Lambda()
    monkeypatch.setattr("sys.stdout", stdout)

    log("INFO", "parcel shipped")

    assert stdout.flushed == '{"level":"INFO","message":"parcel shipped","coldStart":false}\n'


def test_the_first_line_of_a_process_is_that_of_its_cold_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert logging.__spec__
    assert logging.__spec__.loader
    fresh = importlib.util.module_from_spec(logging.__spec__)
    logging.__spec__.loader.exec_module(fresh)

    fresh.log("INFO", "one")
    fresh.log("INFO", "two")

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["coldStart"] for line in lines] == [True, False]


def test_a_step_whose_event_has_no_status_leads_to_none() -> None:
    class Silent(Event, frozen=True, kw_only=True):
        """An event that reports no status."""

    assert Step(publishes=Silent).to == ""

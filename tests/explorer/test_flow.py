"""What follows from a saga's declared transitions."""

from dataclasses import dataclass, field

from explorer.flow import Flow, Saga, Transition

# A journey: a car and a flight are booked, then it is paid; what fails undoes what was booked.
JOURNEY = Flow(
    (
        Transition("start", None, "STARTED", "Started"),
        Transition("car", "STARTED", "CAR", "CarBooked"),
        Transition("car", "STARTED", "NO_CAR", "CarFailed", failure=True, final=True),
        Transition("flight", "CAR", "FLIGHT", "FlightBooked"),
        Transition("flight", "CAR", "NO_FLIGHT", "FlightFailed", failure=True),
        Transition("pay", "FLIGHT", "PAID", "Paid", pivot=True),
        Transition("pay", "FLIGHT", "UNPAID", "PaymentFailed", failure=True),
        Transition("tickets", "PAID", "SENT", "TicketsSent", final=True),
        Transition("no_flight", "UNPAID", "FLIGHT_OFF", "FlightCancelled", compensates="FLIGHT"),
        Transition("no_car", "FLIGHT_OFF", "CAR_OFF", final=True, compensates="CAR"),
        Transition("no_car", "NO_FLIGHT", "CAR_OFF", final=True, compensates="CAR"),
    )
)


def test_final_statuses_are_those_that_end_a_saga() -> None:
    assert JOURNEY.final == {"NO_CAR", "SENT", "CAR_OFF"}


def test_the_last_events_report_final_statuses() -> None:
    assert JOURNEY.last_event == {"NO_CAR": "CarFailed", "SENT": "TicketsSent"}


def test_an_effect_lasts_until_it_is_compensated() -> None:
    assert JOURNEY.held == {
        "FLIGHT": {"FLIGHT", "PAID", "UNPAID", "SENT"},
        "CAR": {"CAR", "FLIGHT", "NO_FLIGHT", "PAID", "UNPAID", "FLIGHT_OFF", "SENT"},
    }


def test_charged_is_what_follows_on_the_pivot() -> None:
    assert JOURNEY.charged == {"PAID", "SENT"}


def test_reached_are_the_statuses_on_the_way_to_one() -> None:
    assert JOURNEY.reached["NO_FLIGHT"] == {"STARTED", "CAR", "NO_FLIGHT"}
    assert JOURNEY.reached["CAR_OFF"] == {
        "STARTED",
        "CAR",
        "FLIGHT",
        "NO_FLIGHT",
        "UNPAID",
        "FLIGHT_OFF",
        "CAR_OFF",
    }


def test_paths_are_the_ways_from_beginning_to_end() -> None:
    paths = [[one.after for one in path] for path in JOURNEY.paths()]

    assert paths == [
        ["STARTED", "CAR", "FLIGHT", "PAID", "SENT"],
        ["STARTED", "CAR", "FLIGHT", "UNPAID", "FLIGHT_OFF", "CAR_OFF"],
        ["STARTED", "CAR", "NO_FLIGHT", "CAR_OFF"],
        ["STARTED", "NO_CAR"],
    ]


def test_two_flows_together_have_the_transitions_of_both_once() -> None:
    insured = Flow(
        (
            *JOURNEY.transitions,
            Transition("insure", "PAID", "INSURED", "Insured", final=True),
        )
    )

    both = JOURNEY | insured

    assert both.transitions == insured.transitions
    assert both.final == JOURNEY.final | {"INSURED"}
    assert both.charged == {"PAID", "SENT", "INSURED"}


class CarBooked:
    status = "CAR"


@dataclass(frozen=True)
class Step:
    publishes: type | None
    to: str
    failure: bool = False
    pivot: bool = False
    final: bool = False


@dataclass(frozen=True)
class Participant:
    consumes: type | None
    steps: list[Step] = field(default_factory=list)
    compensates: str | None = None


def test_participants_declare_a_flow() -> None:
    starts = Participant(None, [Step(CarBooked, "CAR", pivot=True)])
    undoes = Participant(CarBooked, [Step(None, "OFF", failure=True)], compensates="CAR")

    flow = Flow.of({"start": starts, "undo": undoes})

    assert flow.transitions == (
        Transition("start", None, "CAR", "CarBooked", pivot=True),
        Transition("undo", "CAR", "OFF", failure=True, final=True, compensates="CAR"),
    )
    assert [str(one) for one in flow.transitions] == ["start: nothing → CAR", "undo: CAR → OFF"]


def test_a_saga_is_open_by_its_attribute_or_until_a_final_status() -> None:
    by_status, by_attribute = Saga("t", "id", JOURNEY), Saga("t", "id", JOURNEY, opens="open")

    assert by_status.is_open({"status": "PAID"})
    assert not by_status.is_open({"status": "SENT"})
    assert by_status.is_open({"status": "SENT"}, final=frozenset({"INSURED"}))
    assert by_attribute.is_open({"status": "SENT", "open": "yes"})
    assert not by_attribute.is_open({"status": "PAID"})

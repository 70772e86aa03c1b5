"""What is checked of every saga that declares its flow."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from explorer.app import Trigger
from explorer.exploration import Sweep
from explorer.flow import Transition
from explorer.search import Explored
from explorer.view import View
from tests.explorer.tiny import Tiny, application, found, request, saga, tiny

FLOW = saga(
    Transition("post", None, "OPEN", "Opened"),
    Transition("close", "OPEN", "CLOSED", "Closed", final=True),
)
OPENS = """
    def handle(event, context):
        if not get("1"):
            put("1", status="OPEN")
        assert publish("Opened") == [None]
        return {"statusCode": 202, "body": json.dumps({"id": "1"})}
"""
CLOSES = """
    def handle(event, context):
        put("1", status="CLOSED")
        assert publish("Closed") == [None]
"""


def opening(
    folder: Path, post: str = OPENS, close: str = CLOSES, **options: Any
) -> tuple[Tiny, Explored]:
    """Return a saga of two steps, and what its exploration finds."""
    app = application(
        folder,
        {"post": post, "close": close, **options.pop("functions", {})},
        {"Opened": "close"},
        {"close": options.pop("close_options", {})},
    )
    one = tiny(
        app,
        requests=[request(tries=2)],
        scenario={"may": options.pop("may", {})},
        saga=options.pop("saga", FLOW),
        **options,
    )
    return one, found(one)


def broken(folder: Path, *texts: str, **options: Any) -> tuple[str, ...]:
    explored = opening(folder, *texts, **options)[1]
    return explored.found.broken if explored.found else ()


def test_a_saga_that_goes_as_declared_holds(tmp_path: Path) -> None:
    _, explored = opening(tmp_path)

    assert explored.found is None
    assert explored.transitions == {("post", None, "OPEN"), ("close", "OPEN", "CLOSED")}
    assert explored.called == {
        ("post", "dynamodb:GetItem", "rows"),
        ("post", "dynamodb:PutItem", "rows"),
        ("post", "events:PutEvents", "default"),
        ("close", "dynamodb:PutItem", "rows"),
        ("close", "events:PutEvents", "default"),
    }


def test_a_transition_that_is_not_declared_is_reported(tmp_path: Path) -> None:
    strays = CLOSES.replace("CLOSED", "LOST")

    assert broken(tmp_path, OPENS, strays) == ("close made OPEN to LOST",)
    assert broken(tmp_path, OPENS, strays, strict=False) != ("close made OPEN to LOST",)


def test_an_item_without_a_status_beside_the_sagas_is_none(tmp_path: Path) -> None:
    counts = CLOSES + "        add('number of closed')\n"

    assert broken(tmp_path, OPENS, counts) == ()


def test_a_step_that_is_made_again_from_a_later_status_is_reported(tmp_path: Path) -> None:
    again = OPENS.replace('if not get("1"):', "if True:")

    assert broken(tmp_path, again, may={"resends": 1}) == ("post made CLOSED to OPEN",)


def test_what_is_published_and_not_stored_is_reported(tmp_path: Path) -> None:
    early = """
        def handle(event, context):
            publish("Opened")
            put("1", status="OPEN")
    """

    assert broken(tmp_path, early) == ("Opened is published, and what is stored is nothing",)


def test_an_event_with_other_bytes_is_reported(tmp_path: Path) -> None:
    changes = OPENS.replace("assert", "publish('Opened', n=2);")

    assert broken(tmp_path, changes) == ("Opened of one saga is published with different bytes",)


def test_a_saga_that_nothing_moves_any_more_is_reported(tmp_path: Path) -> None:
    silent = OPENS.replace('publish("Opened")', "[None]")

    found = broken(tmp_path, silent)

    assert found == ("nothing moves a saga any more that is OPEN",)


def test_without_a_sweep_a_lost_event_strands_a_saga(tmp_path: Path) -> None:
    assert broken(tmp_path, may={"losses": 1}) == ("nothing moves a saga any more that is OPEN",)


def test_a_saga_of_which_an_alarm_tells_is_excused(tmp_path: Path) -> None:
    silent = OPENS.replace('publish("Opened")', "[print('stuck', get('1'))]")

    assert broken(tmp_path, silent, alarms=["stuck"]) == ()


def test_a_last_event_that_was_never_published_is_reported(tmp_path: Path) -> None:
    silent = CLOSES.replace('publish("Closed")', "[None]")

    found = broken(tmp_path, OPENS, silent)

    assert found == ("Closed was never published, and is in no failure queue",)


def test_a_promise_without_a_saga_is_reported(tmp_path: Path) -> None:
    forgets = OPENS.replace('put("1", status="OPEN")', "pass").replace(
        'publish("Opened")', "[None]"
    )

    assert broken(tmp_path, forgets) == ("a request is accepted, and no saga is stored",)


def test_an_event_that_fails_by_itself_is_reported(tmp_path: Path) -> None:
    found = broken(tmp_path, OPENS, "def handle(event, context): raise ValueError('no')")

    assert found == ("Opened fails 3 times at close, by itself: ValueError: no",)


def test_after_one_redrive_what_failed_has_to_end(tmp_path: Path) -> None:
    gives_up = """
        def handle(event, context):
            if get("1").get("tried"):
                return
            put("1", status="OPEN", tried="yes")
            put("1", status="CLOSED")
            publish("Closed")
    """

    good = broken(tmp_path, may={"faults": 1}, close_options={"retries": 0})
    bad = broken(tmp_path / "bad", OPENS, gives_up, may={"faults": 1}, close_options={"retries": 0})

    assert good == ()
    assert bad == ("a saga is OPEN after one redrive",)


SWEEPS = """
    def handle(event, context):
        if get("1").get("status") == "OPEN":
            publish("Opened")
"""


@pytest.mark.parametrize(
    ("sweeps", "said"),
    [
        (SWEEPS, ()),
        ("def handle(event, context): get('1')", ("a saga is OPEN after one tick",)),
        (
            "def handle(event, context): put('1', status='LOST')",
            ("sweep made OPEN to LOST, after one tick",),
        ),
    ],
)
def test_after_one_sweep_what_is_open_has_to_end(
    tmp_path: Path, sweeps: str, said: tuple[str, ...]
) -> None:
    found = broken(
        tmp_path,
        may={"losses": 1},
        functions={"sweep": sweeps},
        triggers={"tick": Trigger("sweep", {})},
        sweep=Sweep("tick", lambda view: timedelta(minutes=5)),
    )

    assert found[: len(said)] == said
    assert bool(found) is bool(said)


# Partners

CHARGES = """
    from partner import Gateway
    gateway = Gateway()

    def handle(event, context):
        {charge}
        put("1", status="CLOSED")
        assert publish("Closed") == [None]
"""


@pytest.mark.parametrize(
    ("charge", "may", "said"),
    [
        ("gateway.charge('1', 'k')", {"faults": 1}, ()),
        (
            "gateway.charge('1', 'k')",
            {"faults": 1, "days": 1},
            ("close.gateway did it 2 times for one saga",),
        ),
        (
            "gateway.charge('1', 'k'); gateway.charge('1', 'l')",
            {},
            (
                "close.gateway is asked under 2 keys for one saga",
                "close.gateway did it 2 times for one saga",
            ),
        ),
        (
            "gateway.charge('1')",
            {},
            (),
        ),
        (
            "gateway.charge('1', os.urandom(4).hex())",
            {"faults": 1},
            (
                "close.gateway is asked under 2 keys for one saga",
                "close.gateway did it 2 times for one saga",
            ),
        ),
    ],
)
def test_a_partner_that_is_asked_under_two_keys_or_acts_twice_is_reported(
    tmp_path: Path, charge: str, may: Mapping[str, int], said: tuple[str, ...]
) -> None:
    assert broken(tmp_path, OPENS, CHARGES.format(charge=charge), may=may) == said


def test_requests_that_are_charged_each_under_its_own_key_are_not_one_saga(tmp_path: Path) -> None:
    text = """
        from partner import Gateway
        gateway = Gateway()

        def handle(event, context):
            gateway.charge("1", event["id"])
    """
    requests = [request(event={"id": key}) for key in "12"]
    one = tiny(application(tmp_path, {"post": text}), requests=requests, saga=FLOW)

    assert found(one).found is None


def test_the_domains_own_invariants_are_checked_in_every_state(tmp_path: Path) -> None:
    seen = []

    def nothing_is_open(view: View) -> Iterator[str]:
        seen.append(view.rests)
        for row in view.items("rows").values():
            if row["status"] == "OPEN":
                yield "open"

    assert broken(tmp_path, invariants=[nothing_is_open]) == ("open",)
    assert seen == [False, False]


def test_an_invariant_may_excuse_by_what_has_happened(tmp_path: Path) -> None:
    text = """
        def handle(event, context):
            try:
                put("1")
            except Exception:
                print("it goes on")
            put("2")
    """

    def tells(view: View) -> Iterator[str]:
        if view.spent("faults") and view.items("rows") and not view.rests:
            yield "something is stored, and something went wrong"

    app = application(tmp_path, {"post": text})
    one = tiny(app, scenario={"may": {"faults": 1}}, invariants=[tells])

    schedule = found(one).found

    assert schedule is not None
    assert len(schedule.choices) == 1


def test_a_view_has_what_was_stored_published_asked_and_spent(tmp_path: Path) -> None:
    one, _ = opening(
        tmp_path, OPENS, CHARGES.format(charge="gateway.charge('1', 'k')"), may={"faults": 1}
    )
    one.do("timed out").settle()
    view = one.view
    published = [one.machine.messages[number].name for number in one.state.published]

    assert [act.key for act in view.acts("close.gateway", "1")] == ["k"]
    assert view.acts("close.gateway", "2") == []
    assert [event["detail-type"] for event in view.published] == published
    assert (view.rests, view.spent("faults"), view.ends) == (True, 1, FLOW.flow.final)

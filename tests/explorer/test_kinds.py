"""What a search goes on to find, and what it excuses."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from explorer.app import App, Function, Rule, Scenario, Table
from explorer.calls import Call
from explorer.exploration import Exploration, Release
from explorer.faults import SENT_TWICE, faults
from explorer.flow import Flow, Saga, Transition
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.search import Explored, explore
from explorer.view import View

BEGIN = {"id": "1", "detail-type": "Begin", "source": "test", "detail": {"id": "A"}}
TWO_STEPS = """
import boto3
table, events = boto3.resource("dynamodb").Table("sagas"), boto3.client("events")
def handler(event, context):
    if event["detail-type"] == "Begin":
        table.put_item(Item={"id": "A", "status": "FIRST"})
        entry = {"Source": "test", "DetailType": "First", "Detail": '{"id": "A"}'}
        events.put_events(Entries=[entry])
    else:
        table.put_item(Item={"id": "A", "status": "SECOND"})
"""
LEASE = """
import time, boto3
leases = boto3.resource("dynamodb").Table("sagas")
def handler(event, context):
    lease = leases.get_item(Key={"id": "A"}).get("Item", {"until": 0})
    if lease["until"] > time.time():
        raise RuntimeError("in progress")
    leases.put_item(Item={"id": "A", "until": int(time.time()) + 30})
    leases.put_item(Item={"id": "A", "until": 0})
"""


FRESH_ID = """
import uuid, boto3
table = boto3.resource("dynamodb").Table("sagas")
def handler(event, context):
    table.put_item(Item={"id": str(uuid.uuid4())})
"""


def an_exploration(
    tmp_path: Path, source: str, scenario: Scenario, waits: Sequence[timedelta] = ()
) -> Exploration:
    (tmp_path / "app.py").write_text(source)
    function = Function("step", "app.handler", [tmp_path], waits=waits)
    rules = [Rule({"detail-type": [name]}, "step") for name in ("Begin", "First")]
    return Exploration(App([function], [Table("sagas", "id")], rules), [scenario])


def two_steps(tmp_path: Path, **may: int) -> Exploration:
    transitions = (
        Transition("step", None, "FIRST", "First"),
        Transition("step", "FIRST", "SECOND", final=True),
    )
    scenario = Scenario("two steps", events=[BEGIN], may=may)
    saga = Saga("sagas", "id", Flow(transitions))
    return replace(an_exploration(tmp_path, TWO_STEPS, scenario), saga=saga)


def explored(exploration: Exploration, **options: Any) -> Explored:
    machine = Machine(exploration, Release(exploration.app), exploration.scenarios[0])
    return explore(machine, Judge(machine), **options)


def test_a_search_for_all_kinds_goes_on_after_the_first_and_has_the_shortest_way_to_each(
    tmp_path: Path,
) -> None:
    exploration = two_steps(tmp_path, duplicates=2)

    first = explored(exploration)
    everything = explored(exploration, all_kinds=True)

    assert first.found
    assert first.kinds == {}
    assert everything.found == first.found
    assert {text: len(found.choices) for text, found in everything.kinds.items()} == {
        "step made SECOND to FIRST": 5
    }


def test_nothing_that_follows_from_what_does_not_hold_is_a_kind_of_its_own(tmp_path: Path) -> None:
    def stays_short(view: View) -> Iterator[str]:
        if len(view.published) > 1:
            yield "it has published"
        if view.items("sagas")["A"]["status"] == "SECOND":
            yield "it is SECOND"

    exploration = replace(two_steps(tmp_path), invariants=[stays_short], saga=None)
    exploration = replace(
        exploration,
        scenarios=[
            replace(exploration.scenarios[0], items={"sagas": [{"id": "A", "status": "NONE"}]})
        ],
    )

    found = explored(exploration, all_kinds=True)

    assert list(found.kinds) == ["it has published"]


def test_a_failed_event_is_tried_again_after_the_wait_that_its_function_declares(
    tmp_path: Path,
) -> None:
    scenario = Scenario("a crash", events=[BEGIN], may={"faults": 1})
    minutes = [timedelta(minutes=1), timedelta(minutes=2)]

    at_once = explored(an_exploration(tmp_path, LEASE, scenario))
    later = explored(an_exploration(tmp_path, LEASE, scenario, waits=minutes))

    assert at_once.found
    [broken] = at_once.found.broken
    assert broken == "Begin fails 3 times at step, by itself: RuntimeError: in progress"
    assert later.found is None


def test_a_duplicate_makes_ids_of_its_own(tmp_path: Path) -> None:
    def is_one(view: View) -> Iterator[str]:
        if len(view.items("sagas")) > 1:
            yield "there are two"

    scenario = Scenario("twice", events=[BEGIN], may={"duplicates": 1})
    exploration = replace(an_exploration(tmp_path, FRESH_ID, scenario), invariants=[is_one])

    found = explored(exploration).found

    assert found
    assert found.broken == ("there are two",)


def test_an_event_that_is_lost_is_no_excuse_where_no_sweep_looks_for_what_is_open(
    tmp_path: Path,
) -> None:
    exploration = two_steps(tmp_path, losses=1)

    found = explored(exploration).found

    assert found
    assert found.broken == ("nothing moves a saga any more that is FIRST",)


def test_a_transaction_with_a_token_is_not_done_again_when_its_client_sends_it_twice() -> None:
    items: dict[str, Any] = {"TransactItems": []}

    with_token = faults(
        Call("dynamodb", "TransactWriteItems", {**items, "ClientRequestToken": "1"})
    )
    without = faults(Call("dynamodb", "TransactWriteItems", items))

    assert set(without) - set(with_token) == {SENT_TWICE}

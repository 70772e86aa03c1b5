"""The moves that are left out change nothing: docs/reductions.md argues it, this tries it."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.app import App, Index, Queue, Scenario, Table
from explorer.exploration import Exploration, Release
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.state import State
from explorer.story import snapshot
from tests.explorer.tiny import application, request
from tests.simulation.saga import ROOT, exploration

ROWS = Table("rows", "id", indexes={"kinds": Index("kind")})
HELPS = """
from partner import Gateway
gateway = Gateway()

def rows():
    return len(dynamodb.query(
        TableName="rows", IndexName="kinds", KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "row"}})["Items"])

def once(id):
    dynamodb.put_item(TableName="rows", Item={"id": {"S": id}},
                      ConditionExpression="attribute_not_exists(id)")
"""


class Space:
    """All states of a machine: how many, those at rest, and what does not hold in any of them.

    What rests is compared without numbers, and without what may still happen.
    """

    def __init__(self, exploration: Exploration, release: Release, scenario: Scenario, full: bool):
        machine = Machine(exploration, release, scenario, reduced=not full)
        judge = Judge(machine)
        states, waiting = {machine.start}, [machine.start]
        self.resting, self.broken = set[str](), set[str]()
        while waiting:
            state = waiting.pop()
            self.broken.update(judge.broken(state))
            if not (state.queue or state.running or state.late):
                self.resting.add(_text(machine, state))
            for move in machine.moves(state):
                after = machine.after(state, move)
                if after not in states:
                    states.add(after)
                    waiting.append(after)
        self.states = len(states)


def _text(machine: Machine, state: State) -> str:
    return json.dumps(snapshot(machine, state), sort_keys=True, default=str)


def assert_same(exploration: Exploration, release: Release, scenario: Scenario) -> Space:
    """Assert that the reduced search sees what the full one sees, in fewer states."""
    full = Space(exploration, release, scenario, full=True)
    reduced = Space(exploration, release, scenario, full=False)

    assert reduced.broken == full.broken
    assert reduced.resting == full.resting
    assert reduced.states < full.states
    return reduced


def tried(
    app: App, may: Mapping[str, int], keys: Sequence[str] = ("1",), at_once: int = 2
) -> Space:
    requests = [request(event={"id": key}) for key in keys]
    scenario = Scenario("tiny", requests, may=may, at_once=at_once)
    return assert_same(Exploration(app, [scenario], strict=False), Release(app), scenario)


# Each was wrong once, or would be if the reduction it is named after were bolder.


@pytest.mark.parametrize("before", ["pass", "get('2')"])
def test_what_was_read_from_an_index_can_be_overtaken(tmp_path: Path, before: str) -> None:
    """Two look in an index whether they are the first, and both are."""
    text = HELPS + (
        f"def handle(event, context):\n    {before}\n    first = rows() == 0\n"
        "    put(event['id'], kind='row', first=str(first))\n"
    )
    app = application(tmp_path, {"post": text}, tables=[ROWS])

    space = tried(app, {"faults": 1}, keys="12")

    assert any(one.count('"first": "True"') == 2 for one in space.resting)
    assert any(one.count('"first": "True"') == 1 for one in space.resting)


def test_what_was_written_before_can_be_read_from_an_index_by_all(tmp_path: Path) -> None:
    text = HELPS + (
        "def handle(event, context):\n    put(event['id'], kind='row')\n"
        "    put('n' + event['id'], n=str(rows()))\n"
    )
    app = application(tmp_path, {"post": text}, tables=[ROWS])

    space = tried(app, {}, keys="12")

    assert any(one.count('"n": "2"') == 2 for one in space.resting)


def test_a_query_of_an_index_can_fail(tmp_path: Path) -> None:
    text = HELPS + (
        "def handle(event, context):\n    try: rows()\n"
        "    except Exception as error: put('1', error=type(error).__name__)\n"
    )
    app = application(tmp_path, {"post": text}, tables=[ROWS])

    space = tried(app, {"faults": 1})

    assert any("ThrottlingException" in one for one in space.resting)


ATTEMPTS = """
    def handle(event, context):
        add("attempts")
        attempt = get("attempts", ConsistentRead=True)["count"]
        if attempt == "1":
            publish("A", "B")
        try:
            put("done " + attempt)
        except Exception:
            print("it is done all the same")
"""


@pytest.mark.parametrize("may", [{"losses": 1, "faults": 1}, {"faults": 2}])
def test_a_handler_can_crash_right_after_what_was_lost_or_refused_in_part(
    tmp_path: Path, may: Mapping[str, int]
) -> None:
    functions = {"post": "def handle(event, context): publish('C')", "c": ATTEMPTS}
    functions |= {"a": "def handle(event, context): add(event['detail-type'])"}
    app = application(tmp_path, functions, {"C": "c", "A": "a", "B": "a"})

    space = tried(app, may)

    ends = [one for one in map(json.loads, space.resting) if "B" in one["published"]]
    rows = [{row["id"] for row in one["items"]["rows"].values()} for one in ends]
    assert any("done 2" in one and not {"done 1", "A"} & one for one in rows)


def test_a_handler_that_catches_a_late_call_can_crash_then(tmp_path: Path) -> None:
    """What it wrote is there at last, though its successor has written after it."""
    text = """
        def handle(event, context):
            attempt = os.urandom(2).hex()
            for row in ("begun " + attempt, "last", "end " + attempt):
                try:
                    put(row, by=attempt)
                except Exception:
                    print("it goes on")
    """
    functions = {"post": "def handle(event, context): publish('A')", "a": text}
    app = application(tmp_path, functions, {"A": "a"})

    space = tried(app, {"late": 1, "faults": 1})

    ends = [one["items"].get("rows", {}).values() for one in map(json.loads, space.resting)]
    crashed = [rows for rows in ends if [row["id"][:3] for row in rows].count("end") == 1]
    assert len({row["by"] for rows in crashed for row in rows if row["id"] == "last"}) == 2


def test_a_message_can_be_taken_while_others_are_handed_over_together(tmp_path: Path) -> None:
    functions = {
        "post": "def handle(event, context): send('x', 'y', 'z')",
        "work": """
            def handle(event, context):
                put("-".join(one["body"] for one in event["Records"]))
                add("ends")
        """,
    }
    queues = [Queue("work", "work")]
    app = application(tmp_path, functions, options={"work": {"batch": 2}}, queues=queues)

    space = tried(app, {})

    assert {pair for pair in ("x-y", "x-z", "y-z") if any(pair in one for one in space.resting)}


def test_queries_that_follow_on_one_another_are_of_one_moment_only_where_all_is_reduced(
    tmp_path: Path,
) -> None:
    """Not a reduction, but an assumption: the page says so."""
    reads = HELPS + "def handle(event, context): put('1', seen=str([rows(), rows()]))"
    writes = "def handle(event, context): put('2', kind='row')"
    app = application(tmp_path, {"post": reads, "other": writes}, tables=[ROWS])
    scenario = Scenario("tiny", [request(), request("other")])
    explored, release = Exploration(app, [scenario]), Release(app)

    spaces = [Space(explored, release, scenario, full=full) for full in (False, True)]

    assert [
        {seen for seen in ("[0, 0]", "[0, 1]", "[1, 1]") if any(seen in one for one in texts)}
        for texts in (spaces[0].resting, spaces[1].resting)
    ] == [{"[0, 0]", "[1, 1]"}, {"[0, 0]", "[0, 1]", "[1, 1]"}]


# Handlers made up of what goes together badly

STATEMENTS = (
    "add('a')",
    "once('b')",
    "put('c', kind='row', by=context.aws_request_id[:3])",
    "publish('A')",
    "publish('A', 'B')",
    "send('x')",
    "if rows() == 0: add('q')",
    "if rows() == 1: add('r')",
    "if 'count' in get('a'): add('d')",
    "if get('a', ConsistentRead=True).get('count') == '1': add('e')",
    "if gateway.charge('1', 'k') == 'paid': add('p')",
    "gateway.charge('1')",
    "if gateway.find('k'): add('f')",
    "put('now', at=str(__import__('time').time())[-6:])",
)
MAY = ["losses", "duplicates", "late", "lags", "waits", "days", "skews", "resends", "redrives"]


def made_up(chance: random.Random, length: int) -> str:
    lines = [HELPS, "def handle(event, context):"]
    for statement in chance.choices(STATEMENTS, k=length):
        if chance.random() < 0.35:
            lines += ["    try:", f"        {statement}", "    except Exception: add('x')"]
        else:
            lines.append(f"    {statement}")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(20))
def test_made_up_handlers_end_the_same_way(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    functions = {"post": made_up(chance, 2), "a": made_up(chance, 2), "work": made_up(chance, 1)}
    may = dict.fromkeys(["faults", *chance.sample(MAY, 2)], 1)
    app = application(
        tmp_path,
        functions,
        {"A": "a", "B": "work"},
        {"a": {"retries": 1}, "work": {"batch": 2}},
        [ROWS],
        [Queue("work", "work", receives=2)],
    )

    tried(app, may, at_once=chance.choice([1, 2, 3]))


# This saga

SAGA = exploration()
RELEASE = Release(SAGA.app)


def small(name: str, at_once: int = 2, **may: int) -> Scenario:
    scenario = next(one for one in SAGA.scenarios if one.name == name)
    return replace(scenario, may=may, at_once=at_once)


SMALL = (
    small("sold out", faults=2),
    small("sold out", faults=1, duplicates=1, redrives=1, losses=1),
    small("sold out", losses=1, tick=1, waits=1, at_once=1),
    small("sold out", duplicates=2, at_once=3),
    small("without a key", faults=1),
    small("lost", faults=1, losses=1),
)


@pytest.mark.parametrize("scenario", SMALL, ids=lambda one: f"{one.name} {one.may}")
def test_this_sagas_scenarios_end_the_same_way(scenario: Scenario) -> None:
    space = assert_same(SAGA, RELEASE, scenario)

    assert not space.broken


# What each breaks is seen in a scenario of two faults or fewer.
BROKEN: Mapping[str, tuple[str, str, str, dict[str, Any]]] = {
    "an order is put where there is one": (
        "plumbing/conditional_write.py",
        '{"#key": key}',
        '{"#key": "nothing"}',
        {"faults": 1},
    ),
    "an order is not published again": (
        "services/create_order/orders.py",
        "return SagaState.stored(stored)",
        'return SagaState.stored({**stored, "status": "SEEN IT"})',
        {"faults": 1},
    ),
    "a refused entry is not noticed": (
        "plumbing/publish.py",
        "FailedEntryCount",
        "Failures",
        {"faults": 1},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_of_broken_code_the_same_is_found(name: str) -> None:
    file, right, wrong, may = BROKEN[name]
    text = (ROOT / file).read_text()
    assert right in text
    release = Release(SAGA.app, {ROOT / file: text.replace(right, wrong)})

    space = assert_same(SAGA, release, small("sold out", **may))

    assert space.broken

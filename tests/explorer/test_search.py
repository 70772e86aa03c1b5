"""Every schedule within bounds is tried, the shortest first, and each can be replayed."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.search import ENDLESS, Schedule, TooManyStatesError, explore, replay
from explorer.story import Story, dumps, tell
from explorer.view import View
from tests.explorer.tiny import Tiny, application, found, request, tiny

# It publishes before it has stored that it did: after a crash it does so again.
PUBLISHES = """
    def handle(event, context):
        if not get("done"):
            publish("A")
            put("done")
        return {"statusCode": 200}
"""
COUNTS = """
    def handle(event, context):
        add("1")
"""


def at_most_once(view: View) -> Iterator[str]:
    for row in view.items("rows").values():
        if row.get("count", 0) > 1:
            yield "A has two effects"


def publishing(folder: Path, *, reduced: bool = True, **may: int) -> Tiny:
    app = application(folder, {"post": PUBLISHES, "a": COUNTS}, {"A": "a"})
    return tiny(
        app,
        requests=[request(tries=2)],
        reduced=reduced,
        scenario={"may": may},
        invariants=[at_most_once],
    )


def told(one: Tiny) -> Story:
    schedule = found(one).found
    assert schedule
    return tell(one.machine, schedule)


def test_what_holds_in_every_state_is_not_found(tmp_path: Path) -> None:
    explored = found(publishing(tmp_path))

    assert explored.found is None
    assert (explored.states, explored.schedules) == (6, 2)


def test_the_shortest_story_is_found(tmp_path: Path) -> None:
    story = told(publishing(tmp_path, faults=1))

    assert [*story.lines()] == [
        "  1. post: reads rows - done",
        "  2. post: publishes A - done",
        "  3. a on A: updates rows - the client SENDS IT TWICE",
        "  => A has two effects",
    ]


def test_a_story_has_places_and_errors(tmp_path: Path) -> None:
    app = application(tmp_path, {"post": "def handle(event, context): add('1'); add('1'); 1 / 0"})

    story = told(tiny(app, invariants=[at_most_once], strict=False))

    assert [*story.lines(errors=True, places=True)] == [
        f"  1. post: updates rows - done   [{_place(story, 0)}]",
        f"  2. post: updates rows - done   [{_place(story, 1)}]",
        "     ZeroDivisionError: division by zero",
        "  => A has two effects",
    ]
    assert _place(story, 0).rpartition(":")[0].endswith("post/post.py")


@pytest.mark.parametrize(
    ("how", "became", "then"),
    [
        ("", "refused: ConditionalCheckFailedException", "puts into rows - done"),
        (
            "crash after",
            "CRASHES after that was refused (ConditionalCheckFailedException)",
            "deletes from rows - refused: ConditionalCheckFailedException",
        ),
    ],
)
def test_a_call_that_dynamodb_refuses_is_told_so(
    tmp_path: Path, how: str, became: str, then: str
) -> None:
    text = """
        def handle(event, context):
            try:
                dynamodb.delete_item(TableName="rows", Key={"id": {"S": "1"}},
                                     ConditionExpression="attribute_exists(id)")
            except dynamodb.exceptions.ConditionalCheckFailedException:
                put("1")
    """
    app = application(tmp_path, {"post": text})
    one = tiny(app, requests=[request(tries=2)], scenario={"may": {"faults": 1}})
    moves = [move.how for move in one.machine.moves(one.state)]

    story = tell(one.machine, Schedule((), (moves.index(how), 0)))

    assert [step.text.partition(": ")[2] for step in story.steps] == [
        f"deletes from rows - {became}",
        then,
    ]


def _place(story: Story, step: int) -> str:
    return story.steps[step].where


def test_a_crash_after_a_fault_is_told(tmp_path: Path) -> None:
    one = publishing(tmp_path, faults=1, losses=1)
    moves = [move.how for move in one.do().machine.moves(one.state)]
    schedule = Schedule((), (0, moves.index("lost, then a crash")))

    story = tell(one.machine, schedule)

    assert story.steps[1].text == (
        "post: publishes A - the bus accepts it and LOSES IT in delivery, and then it CRASHES"
    )


def test_a_story_is_data(tmp_path: Path) -> None:
    story = told(publishing(tmp_path, faults=1))

    [again] = json.loads(dumps([story]))

    assert again["scenario"] == "tiny"
    assert again["broken"] == ["A has two effects"]
    assert len(again["steps"]) == len(again["schedule"].split("."))
    assert again["steps"][0]["state"]["running"] == ["post: publishes A"]
    assert again["steps"][-1]["state"] == {
        "seconds": 0,
        "items": {"rows": {_key(story): {"id": "1", "count": 2}}},
        "queue": [],
        "running": ["post: puts into rows"],
        "late": [],
        "failed": [],
        "partners": [],
        "published": ["A"],
    }


def _key(story: Story) -> str:
    return str(next(iter(story.steps[-1].state["items"]["rows"])))


def test_a_schedule_means_the_same_whatever_was_explored_before(tmp_path: Path) -> None:
    functions = {
        "post": "def handle(event, context): publish('A', id=event['id'])",
        "a": "def handle(event, context): add(event['detail']['id'])",
    }
    app = application(tmp_path, functions, {"A": "a"})

    def all_are_counted(view: View) -> Iterator[str]:
        if len(view.items("rows")) == 3:
            yield "all are counted"

    def three() -> Tiny:
        requests = [request(event={"id": key}) for key in "123"]
        return tiny(app, requests=requests, invariants=[all_are_counted])

    one, backwards = three(), three()
    schedule = found(one).found
    while moves := [*backwards.machine.moves(backwards.state)]:  # other values come first
        backwards.state = backwards.machine.after(backwards.state, moves[-1])

    story = tell(backwards.machine, schedule or Schedule(()))

    assert backwards.machine.messages.values != one.machine.messages.values
    assert story == tell(one.machine, schedule or Schedule(()))
    assert story.broken


def test_a_schedule_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    one = publishing(tmp_path)

    with pytest.raises(IndexError):
        list(replay(one.machine, [0, 99]))


def test_there_are_no_more_states_than_the_limit(tmp_path: Path) -> None:
    with pytest.raises(TooManyStatesError, match="more than 10 states"):
        found(publishing(tmp_path, duplicates=2, faults=1, resends=1), limit=10)


def test_schedules_from_beginning_to_rest_are_counted(tmp_path: Path) -> None:
    app = application(tmp_path, {"post": "def handle(event, context): add('1')"})
    requests = [request(event={"id": key}) for key in "123"]

    explored = found(tiny(app, requests=requests))

    assert explored.schedules == 6


def test_events_that_go_round_in_a_circle_are_reported(tmp_path: Path) -> None:
    functions = {
        "post": "def handle(event, context): publish('A')",
        "a": "def handle(event, context): publish('B')",
        "b": "def handle(event, context): publish('A')",
    }
    app = application(tmp_path, functions, {"A": "a", "B": "b"})

    story = told(tiny(app))

    assert story.broken == (ENDLESS,)
    assert [step.state["queue"] for step in story.steps] == [
        ["A for a, try 1"],
        ["B for b, try 1"],
    ] * 2  # the second time with ids of their own


def test_a_note_is_kept_with_its_schedule(tmp_path: Path) -> None:
    one = publishing(tmp_path)

    class Notes:
        def broken(self, state: object) -> tuple[str, ...]:
            return ()

        def noted(self, state: object) -> tuple[str, ...]:
            return ("it runs",) if one.machine.start != state else ()

    explored = explore(one.machine, Notes())

    assert explored.note is not None
    assert (explored.note.broken, str(explored.note)) == (("it runs",), "0")
    assert replace(explored.note, choices=(0, 2, 11)).__str__() == "0.2.11"

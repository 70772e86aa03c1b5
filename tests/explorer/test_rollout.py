"""Two releases side by side while functions are deployed one by one, and rolled back."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.app import Scenario
from explorer.exploration import Exploration, Release
from explorer.flow import Transition
from explorer.rollout import Plan, Rollout, RolloutJudge
from explorer.search import Explored, explore
from explorer.state import State
from explorer.story import tell
from tests.explorer.tiny import application, request, saga

FLOW = saga(
    Transition("post", None, "OPEN", "Opened"),
    Transition("post", None, "OPEN", "Begun"),
    Transition("close", "OPEN", "CLOSED", final=True),
)
OPENS = """
    def handle(event, context):
        put("1", status="OPEN")
        publish({event!r})
"""
CLOSES = """
    def handle(event, context):
        put("1", status="CLOSED", release={release!r})
"""


def rollout(
    folder: Path, plan: Plan, *, event: str = "Opened", may: Mapping[str, int] | None = None
) -> Rollout:
    """Return a rollout of functions, of which the new release publishes another event."""
    texts = {
        name: {"post": OPENS.format(event=opened), "close": CLOSES.format(release=name)}
        for name, opened in (("old", "Opened"), ("new", event))
    }
    old = application(folder / "old", texts["old"], {"Opened": "close"})
    new = application(folder / "new", texts["new"], {event: "close"})
    scenario = Scenario("tiny", [request()], may=may or {})
    exploration = Exploration(old, [scenario], saga=FLOW, strict=False)
    return Rollout(exploration, Release(old), Release(new), plan, scenario)


def explored(machine: Rollout) -> Explored:
    return explore(machine, RolloutJudge(machine), 20_000)


def ends(machine: Rollout) -> set[tuple[Any, tuple[int, ...]]]:
    """Return by which release sagas are closed, and what was deployed then."""
    found, states, waiting = set(), {machine.start}, [machine.start]
    while waiting:
        state = waiting.pop()
        moves = [*machine.moves(state)]
        if not moves:
            row = machine.items(state.rows)["rows"]
            by = next(iter(row.values()))["release"]["S"] if row else None
            found.add((by, state.releases))
        for move in moves:
            after = machine.after(state, move)
            if after not in states:
                states.add(after)
                waiting.append(after)
    return found


def test_a_function_is_deployed_before_or_after_it_is_called(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("close",)))

    assert {by for by, _ in ends(machine)} == {"old", "new"}
    assert explored(machine).found is None


def test_an_invocation_stays_of_the_release_that_it_began_with(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("close",)), may={"duplicates": 1})
    state = machine.start
    for what in ("begin", "call", "call", "begin", "duplicates", "deploy", "call"):
        move = next(move for move in machine.moves(state) if move.what == what)
        state = machine.after(state, move)

    assert machine.items(state.rows)["rows"].popitem()[1]["release"] == {"S": "old"}


def test_what_is_deployed_first_was_there_before_the_first_request(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("close",), first=1))

    assert ends(machine) == {("new", (1,))}


def test_a_deployment_can_be_rolled_back(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("close",), rollback=True))

    assert {releases for _, releases in ends(machine)} == {(2,)}


def test_functions_are_deployed_in_order_and_rolled_back_in_reverse(tmp_path: Path) -> None:
    order = Plan(("post", "close"), rollback=True)

    seen = {releases for _, releases in _states(rollout(tmp_path, order))}
    anyhow = {
        releases
        for _, releases in _states(rollout(tmp_path / "any", replace(order, any_order=True)))
    }

    assert {(1, 0), (1, 1), (1, 2), (2, 2)} <= seen
    assert not {(0, 1), (2, 1)} & seen
    assert {(0, 1), (2, 1)} <= anyhow


def _states(machine: Rollout) -> set[tuple[State, tuple[int, ...]]]:
    states, waiting = {machine.start}, [machine.start]
    while waiting:
        state = waiting.pop()
        for move in machine.moves(state):
            after = machine.after(state, move)
            if after not in states:
                states.add(after)
                waiting.append(after)
    return {(state, state.releases) for state in states}


def test_an_event_that_no_deployed_function_consumes_strands_a_saga(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("post", "close")), event="Begun")

    found = explored(machine).found
    assert found
    story = tell(machine, found)

    assert story.broken == ("a saga stays OPEN for ever: no function consumes Opened now",)
    assert any("is deployed" in step.text for step in story.steps)


def test_a_saga_that_waits_for_the_rest_of_the_plan_is_a_note(tmp_path: Path) -> None:
    machine = rollout(tmp_path, Plan(("post", "close")), event="Begun")

    note = explored(machine).note

    assert note is not None
    assert note.broken == ("a saga stays OPEN for ever: no function consumes Begun now",)


def test_an_event_can_come_to_a_dead_end_and_be_redriven_to_the_next_release(
    tmp_path: Path,
) -> None:
    machine = rollout(tmp_path, Plan(("close",)), may={"losses": 1})
    state = machine.start
    for what in ("begin", "call", "call", "dead-letter", "deploy"):
        move = next(move for move in machine.moves(state) if move.what == what)
        state = machine.after(state, move)

    state = machine.redriven(state)

    assert machine.items(state.rows)["rows"].popitem()[1]["release"] == {"S": "new"}

"""Whatever crashes, repeats, overtakes or is forged: nothing is lost or done twice."""

import os

import pytest

from explorer.grants import differences
from explorer.invariants import Judge
from explorer.machine import Machine
from explorer.search import Schedule, explore
from explorer.story import tell
from tests.grants import GRANTS
from tests.simulation import explored, page
from tests.simulation.domain import GATEWAY
from tests.simulation.guards import GUARDS, caught
from tests.simulation.scenarios import ORDER, SCENARIOS, scenario

NAMES = [scenario.name for scenario in SCENARIOS]


@pytest.mark.parametrize("name", NAMES)
def test_everything_holds_in_every_state_that_can_be_reached(name: str) -> None:
    found = explored.results()[name]

    assert found.story is None, "\n".join(found.story.lines(errors=True, places=True))
    assert found.explored.states > 1000


def test_the_states_that_can_be_reached_are_many() -> None:
    assert sum(found.explored.states for found in explored.results().values()) > 250_000


def test_every_transition_of_the_flow_is_taken_by_some_scenario() -> None:
    saga = explored.this().saga

    taken = {made for found in explored.results().values() for made in found.explored.transitions}

    assert saga is not None
    assert taken == saga.flow.moves


def test_the_calls_that_handlers_make_are_exactly_what_their_templates_grant() -> None:
    # tests/infra/test_grants.py holds these rows to the templates.
    granted = {
        service: {
            *(
                (f"dynamodb:{action}", table)
                for table, actions in rows.tables.items()
                for action in actions
            ),
            *([("events:PutEvents", "bus")] if rows.publishes or rows.republishes else []),
        }
        for service, rows in GRANTS.items()
    }

    called = {made for found in explored.results().values() for made in found.explored.called}

    assert differences(called, granted) == []


def test_every_answer_of_each_partner_is_tried() -> None:
    machine = Machine(explored.this(), explored.release(), scenario("", ORDER))

    explore(machine, Judge(machine))

    answers = {act.text for act in machine.acts.values if act.partner == GATEWAY}
    assert {answer.partition("(")[0] for answer in answers} == {"Charged", "Declined"}


def test_a_story_tells_the_same_in_a_world_of_its_own() -> None:
    [chosen] = [one for one in SCENARIOS if one.name == "lost"]
    schedule = Schedule((), (0, 1, 0))

    stories = [
        tell(Machine(explored.this(), explored.release(), chosen), schedule) for _ in range(2)
    ]

    assert stories[0] == stories[1]
    assert len(stories[0].steps) == 3


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_something_fails(guard: str) -> None:
    found = caught(guard)

    assert found is not None
    assert found.story is not None
    assert found.story.broken


def test_the_pages_have_what_was_found() -> None:
    found = page.pages()

    for path, text in found.items():
        written = path.read_text()
        assert page.without_seconds(written) == page.without_seconds(text), "run `make reliability`"


@pytest.mark.parametrize("day", range(5))
def test_a_day_of_a_hundred_orders_ends_well_whatever_happens(day: int) -> None:
    seed = int(os.environ.get("SEED", "20261124")) + day

    lived = explored.simulate(seed)

    assert lived.broken == (), f"make simulate SEED={seed}"
    assert lived.ends.total() == 100
    assert lived.happened.total() > 20

"""Whatever crashes, repeats, overtakes or is forged: nothing is lost or done twice."""

import os

import pytest

from tests.simulation import page
from tests.simulation.chance import live
from tests.simulation.explore import replay
from tests.simulation.guards import GUARDS
from tests.simulation.invariants import Judge
from tests.simulation.scenarios import SCENARIOS

NAMES = [scenario.name for scenario in SCENARIOS]


@pytest.mark.parametrize("scenario", NAMES)
def test_everything_holds_in_every_state_that_can_be_reached(scenario: str) -> None:
    machine, found = page.explored(scenario)

    assert found.story is None, "\n".join(found.story.lines(machine))
    assert found.states > 1000


def test_the_states_that_can_be_reached_are_many() -> None:
    assert sum(page.explored(scenario)[1].states for scenario in NAMES) > 50_000


@pytest.mark.parametrize("guard", [guard.name for guard in GUARDS])
def test_without_a_guard_something_fails(guard: str) -> None:
    found = page.caught(guard)

    assert found is not None
    assert found.explored.story is not None
    assert found.explored.story.broken


def test_a_story_can_be_replayed() -> None:
    found = page.caught("units are taken only if there are enough")
    assert found is not None
    assert found.explored.story is not None

    again = replay(found.machine, Judge(found.machine), found.explored.story.schedule)

    assert again == found.explored.story


def test_the_pages_have_what_was_found() -> None:
    found = page.pages()

    for path, text in found.items():
        written = path.read_text()
        assert page.without_seconds(written) == page.without_seconds(text), "run `make reliability`"


@pytest.mark.parametrize("day", range(5))
def test_a_day_of_a_hundred_orders_ends_well_whatever_happens(day: int) -> None:
    seed = int(os.environ.get("SEED", "20261124")) + day

    lived = live(seed, page.as_it_is())

    assert lived.broken == (), f"make simulate SEED={seed}"
    assert lived.ends.total() == 100
    assert lived.faults.total() > 20

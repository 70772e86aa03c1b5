"""Every deployment of every kind of change has the verdict that is right."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.deployments import DRAINED, IN_ORDER, SAFE, UNSAFE, WAITS, Failure, Verdict
from explorer.rollout import Rollout
from explorer.state import State
from explorer.story import tell
from tests.changes import BY_NAME, CHANGES, Change
from tests.simulation import evolution, page, report
from tests.simulation.deployments import change, judge

BAD = [change.name for change in CHANGES if change.verdict != SAFE or not change.rollback]


def _failures(verdict: Verdict) -> Iterator[Failure]:
    found = (verdict.failure, verdict.waits, verdict.rollback)
    return (one for one in found if one is not None)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_change_has_the_verdict_that_is_right(name: str) -> None:
    change, verdict = BY_NAME[name], evolution.judged(name)

    assert verdict.what == change.verdict, "\n".join(report.lines(verdict, "before"))
    if change.order:
        assert verdict.order == change.order
    if verdict.what != UNSAFE:
        assert (verdict.rollback is None) == change.rollback


@pytest.mark.parametrize("name", BAD)
def test_what_goes_wrong_goes_wrong_again_on_handlers_loaded_anew(
    tmp_path: Path, name: str
) -> None:
    anew = change(*BY_NAME[name].trees(tmp_path))

    failures = list(_failures(evolution.judged(name)))

    for failure in failures:
        again = tell(anew.rollout(failure.plan, failure.scenario), failure.schedule)
        assert again == failure.story
    assert failures


def test_every_kind_of_verdict_is_among_the_changes() -> None:
    assert {change.verdict for change in CHANGES} == {SAFE, IN_ORDER, WAITS, DRAINED, UNSAFE}
    assert len(CHANGES) >= 24


@pytest.mark.parametrize(
    "name",
    [
        "a producer adds a field, its consumer requires it",
        "a field is removed on both sides",
        "a consumer declares a field with a default",
    ],
)
def test_that_services_change_only_when_it_matters_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def always(rollout: Rollout, state: State, service: str) -> bool:
        return True

    monkeypatch.setattr(Rollout, "matters", always)
    eager = judge(*BY_NAME[name].trees(tmp_path))

    lazy = evolution.judged(name)
    assert (eager.what, eager.order, eager.drain_after) == (
        lazy.what,
        lazy.order,
        lazy.drain_after,
    )
    assert (eager.rollback is None) == (lazy.rollback is None)
    assert eager.states > lazy.states


def test_a_tree_that_is_not_changed_has_nothing_to_deploy(tmp_path: Path) -> None:
    old, new = Change("nothing", [], SAFE).trees(tmp_path)

    verdict = judge(old, new)

    assert list(report.lines(verdict, "v1")) == [
        "No service has changed since v1: there is nothing to deploy."
    ]


def test_a_verdict_has_the_commands_in_the_order_that_is_safe() -> None:
    verdict = evolution.judged("a producer adds a field, its consumer requires it")

    commands = list(report.commands(verdict))

    assert commands[0] == "./saga deploy reserve_inventory"
    assert commands[1].startswith("./saga trace --open --older-than WHEN")
    assert commands[2] == "./saga deploy charge_payment"
    assert not report.passes(verdict)


def test_the_story_of_an_unsafe_change_has_the_error_that_strands_the_order() -> None:
    verdict = evolution.judged("a consumer requires a field that nobody publishes")

    text = "\n".join(report.lines(verdict, "v1"))

    assert (
        "a saga stays INVENTORY_RESERVED for ever: "
        "EnvelopeError: InventoryReserved: Object missing required field `warehouse`"
    ) in text
    assert "Correct the new release: no way of deploying it is safe." in text


def test_the_page_has_what_was_found() -> None:
    written = evolution.PAGE.read_text()

    assert page.without_seconds(written) == page.without_seconds(evolution.page()), (
        "run `make evolution`"
    )

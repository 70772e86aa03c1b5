"""Resuming all open orders, call by call of the sweep."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

from harness.connect import ONE_RUN, session
from harness.errors import UserError
from harness.resume import resume_all
from tests.speed.slow import TIME_OUTS

STARTED_AT = "2026-01-31T09:00:00Z"


class MemorySweep:
    """The sweep's function, which has resumed these ids in the order of its walk, or fails."""

    def __init__(self, orders: Sequence[str] = (), at_once: int = 500) -> None:
        self._orders, self._at_once = list(orders), at_once
        self.published: list[str] = []
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **request: str) -> dict[str, Any]:
        """Resume some orders after a place."""
        self.asked.append(json.loads(request["Payload"]))
        after = self.asked[-1]["after"]
        left = [order for order in self._orders if order > after]
        done = left[: self._at_once]
        self.published += done
        report = {
            "resumedOrders": len(done),
            "failedOrders": 0,
            "failures": [],
            "startedAt": STARTED_AT,
            "next": done[-1] if done != left else None,
        }
        return {"Payload": io.BytesIO(json.dumps(report).encode())}


class Returning:
    """A function that returns this each time, as an error of its own or not."""

    def __init__(self, report: dict[str, Any], **response: str) -> None:
        self._report, self._response = report, response

    def invoke(self, **_: str) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self._report).encode()), **self._response}


def test_each_order_is_resumed_once_however_many_stay_open() -> None:
    orders = [f"{number:04}" for number in range(1200)]
    sweep = MemorySweep(orders)

    reports = list(resume_all(sweep))

    assert sweep.published == orders
    assert [report["resumedOrders"] for report in reports] == [500, 500, 200]
    assert sweep.asked == [
        {"allOpen": True, "after": ""},
        {"allOpen": True, "after": "0499", "startedAt": STARTED_AT},
        {"allOpen": True, "after": "0999", "startedAt": STARTED_AT},
    ]


def test_a_sweep_that_fails_raises_its_error() -> None:
    failing = Returning({"errorMessage": "no such table"}, FunctionError="Unhandled")

    with pytest.raises(UserError, match="The sweep failed: no such table"):
        list(resume_all(failing))


def test_a_sweep_of_the_release_before_is_not_called_again() -> None:
    former = Returning({"resumedOrders": 500, "overdueOrders": 5000, "leftOrders": 4500})

    with pytest.raises(UserError, match="is older than this command: it resumed 500 orders, and"):
        list(resume_all(former))


def test_a_sweep_that_comes_no_further_is_not_called_for_ever() -> None:
    stuck = {"resumedOrders": 0, "failedOrders": 0, "failures": [], "startedAt": STARTED_AT}

    with pytest.raises(UserError, match="The sweep comes no further: it has no time"):
        list(resume_all(Returning({**stuck, "next": ""})))


def test_a_run_is_waited_for_to_its_end_and_no_other_is_started_beside_it() -> None:
    client: Any = session().client("lambda", endpoint_url="http://127.0.0.1:1", config=ONE_RUN)

    config = client.meta.config
    assert config.read_timeout > TIME_OUTS["resume_orders"]
    assert config.retries["total_max_attempts"] == 1
    assert config.proxies == {}

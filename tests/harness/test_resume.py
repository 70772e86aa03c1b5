"""Resuming all open orders, run by run of the sweep."""

import io
import json
from typing import Any

import pytest

from harness.errors import UserError
from harness.resume import resume_all


class MemorySweep:
    """The sweep's function, which returns these reports, or fails."""

    def __init__(self, *reports: dict[str, Any], fails: bool = False) -> None:
        self._reports, self._fails = list(reports), fails

    def invoke(self, **request: Any) -> dict[str, Any]:
        if self._fails:
            error = json.dumps({"errorMessage": "no such table"}).encode()
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(error)}
        return {"Payload": io.BytesIO(json.dumps(self._reports.pop(0)).encode())}


def _report(found: int, resumed: int) -> dict[str, int]:
    return {"overdueOrders": found, "resumedOrders": resumed, "leftOrders": found - resumed}


def test_the_sweep_runs_until_it_has_left_no_order() -> None:
    sweep = MemorySweep(_report(1200, 500), _report(700, 500), _report(200, 200))

    reports = list(resume_all(sweep))

    assert [report["resumedOrders"] for report in reports] == [500, 500, 200]


def test_it_ends_when_orders_stay_open_although_all_were_resumed() -> None:
    sweep = MemorySweep(*[_report(600, 500)] * 9)

    reports = list(resume_all(sweep))

    assert len(reports) == 2


def test_a_sweep_that_fails_raises_its_error() -> None:
    with pytest.raises(UserError, match="The sweep failed: no such table"):
        list(resume_all(MemorySweep(fails=True)))

"""However slow AWS is, a function ends by itself before its time-out, and says why."""

import io
from contextlib import redirect_stdout

import pytest

from plumbing.aws import CALL_ERRORS
from plumbing.budget import CONNECT_SECONDS, MARGIN_SECONDS, READ_SECONDS
from tests.speed.slow import (
    CONSUMED,
    THIRD,
    THROTTLES,
    WAYS,
    WITHIN,
    Ran,
    run,
    slow_aws,
)

# An attempt is so much shorter than it is, and so is all the time that a function has for them.
SCALE = 1 / 20


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("service", CONSUMED)
def test_a_function_of_an_event_ends_before_its_time_out_with_an_error_of_a_call(
    service: str, way: str
) -> None:
    ran = _ran(service, way)

    assert ran.seconds < ran.time_out
    assert ran.error is None or isinstance(ran.error, CALL_ERRORS)
    assert way in ("late", THIRD) or ran.error


# So many tries at most fit into ten seconds: of the write, and of the publish if it was written.
@pytest.mark.parametrize(
    ("way", "most"), [("silent", 3), ("late", 2), (THIRD, 3 + 1), (THROTTLES, 1)]
)
def test_a_customer_gets_a_response_before_the_time_out(way: str, most: int) -> None:
    ran = _ran("create_order", way)

    assert ran.seconds < ran.time_out
    assert ran.result["statusCode"] in (202, 503)
    # On a busy machine a late response is no response: one more try for it.
    assert ran.tries <= most + (way == "late") * 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", [{}, {"allOpen": True}], ids=["a run", "a walk"])
def test_the_sweep_ends_with_a_report_before_its_time_out(call: object, way: str) -> None:
    ran = _ran("resume_orders", way, call)

    assert ran.seconds < ran.time_out
    assert ran.result["resumedOrders"] or ran.result["failures"] or ran.result["next"]


def test_an_error_names_the_call_that_there_is_no_time_for() -> None:
    a_try = SCALE * (CONNECT_SECONDS + READ_SECONDS)

    with slow_aws("silent", SCALE) as server, redirect_stdout(io.StringIO()):
        ran = run(server, "charge_payment", MARGIN_SECONDS + 1.6 * a_try)

    assert str(ran.error).startswith("GetItem is not tried: it does not fit into the ")


def _ran(service: str, way: str, call: object = None) -> Ran:
    time_out = MARGIN_SECONDS + SCALE * (WITHIN[service] - MARGIN_SECONDS)
    with slow_aws(way, SCALE) as server, redirect_stdout(io.StringIO()):
        return run(server, service, time_out, call)

"""One service is changed and deployed by itself while orders stream through all of them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.connect import session
from harness.emulator import ROOT
from harness.environment import Environment
from harness.images import bases
from harness.names import stack_name
from harness.orders import SCENARIOS, Orders
from harness.resume import resume_all
from harness.saga import SERVICES
from tests.clone import clone
from tests.clone import saga as saga_command
from tests.engine import needs_engine

pytestmark = [
    needs_engine,
    pytest.mark.parametrize("saga", ["containers"], indirect=True, scope="session"),
]

CHANGED = "notify_shipping"


def test_a_service_is_changed_and_changed_back_and_no_order_is_lost(
    saga: Environment, tmp_path: Path
) -> None:
    copy = _clone_with_another_prefix(tmp_path)
    before = _functions(saga)

    with Orders(saga.api_url) as orders:
        with _stream(orders) as placed:
            _deploy(copy, saga)
        changed = orders.ended(orders.place(SCENARIOS["happy"]))
        after = _functions(saga)
        with _stream(orders) as placed_later:
            _deploy(ROOT, saga)
        changed_back = orders.ended(orders.place(SCENARIOS["happy"]))
        # AWS lets a call that runs during a deployment end. The emulator stops its container, and
        # its bus delivers once: the sweep publishes what is lost so.
        list(resume_all(session().client("lambda", endpoint_url=saga.endpoint)))
        ends = [orders.ended(order_id)["status"] for order_id in placed + placed_later]

    assert changed["trackingNumber"].startswith("PKG-")
    assert changed_back["trackingNumber"].startswith("TRK-")
    assert len(ends) >= 10
    assert set(ends) == {"SHIPPING_SCHEDULED"}
    assert {service for service in SERVICES if after[service] != before[service]} == {CHANGED}


def _clone_with_another_prefix(folder: Path) -> Path:
    copy = clone(folder)
    for name in ("carrier.py", "events.py"):
        file = copy / "services" / CHANGED / name
        file.write_text(file.read_text().replace("TRK-", "PKG-"))
    return copy


@contextmanager
def _stream(orders: Orders) -> Iterator[list[str]]:
    """Place one order after the other for as long as the body runs, and yield their ids."""
    placed: list[str] = []
    over = threading.Event()

    def place() -> None:
        while not over.is_set():
            placed.append(orders.place(SCENARIOS["happy"]))
            over.wait(0.2)

    with ThreadPoolExecutor(1) as pool:
        placing = pool.submit(place)
        try:
            yield placed
        finally:
            over.set()
            placing.result()


def _deploy(copy: Path, running: Environment) -> None:
    """Deploy by the very command that a person uses."""
    environ = {**bases(), "SAGA_ENDPOINT": running.endpoint}
    deployed = saga_command(copy, "deploy", CHANGED, **environ)
    assert deployed.returncode == 0, deployed.stderr


def _functions(saga: Environment) -> dict[str, tuple[str, str]]:
    """Return each function's image and when it was last changed."""
    client = session().client("lambda", endpoint_url=saga.endpoint)
    found = {}
    for service in SERVICES:
        function = client.get_function(FunctionName=stack_name(service))
        found[service] = (
            function["Code"]["ImageUri"],
            function["Configuration"]["LastModified"],
        )
    return found

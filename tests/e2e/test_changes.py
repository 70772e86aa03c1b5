"""A change that is safe is deployed while two hundred orders are on their way.

Each order ends, once, and the stock adds up: with functions as processes, and as containers of
their images. By default a few of them, with SAGA_CHANGES=all (`make changes`) every one.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from explorer.deployments import UNSAFE
from harness import deploy, environment
from harness.connect import session
from harness.deploy import synthesize, zipped
from harness.environment import HOME, Environment
from harness.images import bases
from harness.names import stack_name
from harness.orders import Request
from harness.releases import services
from harness.saga import SERVICES
from tests.changes import BY_NAME, CHANGES, Patch, apply
from tests.clone import clone
from tests.clone import saga as saga_command
from tests.e2e.shop import Item, Shop, eventually
from tests.engine import needs_engine
from tests.simulation import evolution

ORDERS, DECLINED = 200, 20
SKU, UNITS = "CHANGING", 1000
# All orders resumed at once are as many functions that start.
PATIENCE = 5.0
SAFE_ONES = [change.name for change in CHANGES if change.verdict != UNSAFE]
AS_PROCESSES = [
    "a field from the API to shipping",
    "a producer adds a field, its consumer requires it",
    "items get a digest that those of the release before do not have",
]
AS_CONTAINERS = AS_PROCESSES[:1]
if os.environ.get("SAGA_CHANGES") == "all":
    AS_PROCESSES = AS_CONTAINERS = SAFE_ONES


@pytest.mark.parametrize(
    ("saga", "name"),
    [
        *(pytest.param("processes", name) for name in AS_PROCESSES),
        *(pytest.param("containers", name, marks=needs_engine) for name in AS_CONTAINERS),
    ],
    indirect=["saga"],
    scope="session",
)
def test_a_safe_change_is_deployed_in_the_middle_of_two_hundred_orders(
    saga: Environment,
    shop: Shop,
    tmp_path: Path,
    report_at_the_end: Callable[[object], None],
    name: str,
) -> None:
    change, verdict = BY_NAME[name], evolution.judged(name)
    old, new = change.trees(tmp_path / "trees")
    shop.stock.set({SKU: UNITS})
    if change.before:
        _deploy(saga, old, verdict.services, change.before, tmp_path / "before")

    with _ordering(shop, name) as placed:
        for number, service in enumerate(verdict.order):
            if verdict.drain_after and number == verdict.drain_after:
                shop.end(placed[:], PATIENCE)
            _deploy(saga, new, [service], change.patches, tmp_path / "after")
    redriven, resumed = shop.end(placed, PATIENCE)
    _restore(saga, verdict.services)

    stored = [shop.stored(order_id) for order_id in placed]
    ends = Counter(item["status"] for item in stored)
    report_at_the_end(f"{name}: {dict(ends)}, {redriven} redriven, {resumed} resumed")
    assert len(set(placed)) == ORDERS
    assert all(_went_once(item) for item in stored)
    assert ends.pop("INVENTORY_RELEASED") == DECLINED
    assert sum(ends.values()) == ORDERS - DECLINED
    assert set(ends) <= {"SHIPPING_SCHEDULED", "SHIPPED", "RECEIPT_SENT"}
    assert shop.stock.units(SKU) == UNITS - (ORDERS - DECLINED)


@contextmanager
def _ordering(shop: Shop, name: str) -> Iterator[list[str]]:
    """Place the orders; yield their ids when a fifth of them are placed, and wait for the rest."""
    placed: list[str] = []

    def place(number: int) -> None:
        customer = "CUST-DECLINE" if number % (ORDERS // DECLINED) == 0 else "CUST-1"
        order = Request(customer_id=customer, sku=SKU, quantity=1, amount_cents=500)
        # Without the commas of the name, which no key may have.
        placed.append(shop.place(order, f"{re.sub(r'[^a-z]+', '-', name)}-{number}"))

    with ThreadPoolExecutor(4) as pool:
        orders = [pool.submit(place, number) for number in range(ORDERS)]

        def has_begun() -> bool:
            refused = [order.result() for order in orders if order.done() and order.exception()]
            return len(placed) >= ORDERS // 5 and not refused

        eventually(has_begun)
        yield placed
        for order in orders:
            order.result()


def _deploy(
    saga: Environment,
    tree: Path,
    changed: Sequence[str],
    patches: Sequence[Patch],
    folder: Path,
) -> None:
    """Deploy these services of a changed tree: by the `saga` command where more than code differs.

    Where functions are processes only their code is made anew, in the templates that are there.
    """
    if not saga.images and not any(patch.file.startswith("infra/") for patch in patches):
        assembly = synthesize(HOME)
        for service in changed:
            code = lambda service, _: _code(tree, service)  # noqa: E731
            deploy.deploy(saga.endpoint, assembly, stack_name(service), package=code)
        return
    copy = folder / "clone"
    if not copy.exists():
        clone(folder)
        for patch in patches:
            apply(patch, copy)
        (copy / ".saga").mkdir()
        # Its process is another home's, which only that one stops.
        environment.note(copy / ".saga", msgspec.structs.replace(saga, emulator=None))
    environ = {**bases()} if saga.images else {}
    deployed = saga_command(copy, "deploy", "--anyway", *changed, **environ)
    assert deployed.returncode == 0, deployed.stderr


def _restore(saga: Environment, changed: Sequence[str]) -> None:
    """Deploy these services as they are here, and remove those that are not here."""
    assembly = synthesize(HOME)
    for service in changed:
        if service in SERVICES:
            name = stack_name(service)
            deploy.deploy(saga.endpoint, assembly, name, as_images=saga.images)
        else:
            cloudformation = session().client("cloudformation", endpoint_url=saga.endpoint)
            cloudformation.delete_stack(StackName=stack_name(service))


def _code(tree: Path, service: str) -> bytes:
    """Zip what an image of a service has: its files and plumbing, started by the runtime client."""
    assert service in services(tree)
    files = deploy.bootstrap()
    for folder, name in ((tree / "services" / service, service), (tree / "plumbing", "plumbing")):
        files |= {f"{name}/{path.name}": path.read_bytes() for path in folder.glob("*.py")}
    return zipped(files)


def _went_once(item: Item) -> bool:
    """Return whether an order has ended, and made each step once."""
    statuses = [step["status"] for step in item["history"]]
    return "openShard" not in item and len(set(statuses)) == len(statuses)

"""release_inventory: held units are released exactly once."""

from types import ModuleType

import pytest

from plumbing.outbox import EventMismatchError
from tests.world import ORDER_ID, World, sample


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("release_inventory")


def test_held_units_come_back_and_the_order_ends(world: World, service: ModuleType) -> None:
    world.store_order("PAYMENT_FAILED")
    world.stock("COFFEE", 3)

    service.handle(sample("PaymentFailed"), None)

    assert world.units("COFFEE") == 5
    assert world.statuses() == ["PAYMENT_FAILED", "INVENTORY_RELEASED"]
    assert world.order()["failureReason"] == "card declined"
    assert world.published == []


def test_a_second_delivery_gives_nothing_more_back(world: World, service: ModuleType) -> None:
    world.store_order("PAYMENT_FAILED")
    world.stock("COFFEE", 3)
    service.handle(sample("PaymentFailed"), None)
    after_one = world.snapshot()

    service.handle(sample("PaymentFailed"), None)

    assert world.snapshot() == after_one


@pytest.mark.parametrize("status", ["INVENTORY_RESERVED", "PAYMENT_CHARGED", "SHIPPING_SCHEDULED"])
def test_an_order_whose_payment_did_not_fail_keeps_its_units(
    world: World, service: ModuleType, status: str
) -> None:
    world.store_order("PAYMENT_FAILED")
    world.dynamodb.tables["orders"][ORDER_ID]["status"] = {"S": status}
    world.stock("COFFEE", 3)
    before = world.snapshot()

    service.handle(sample("PaymentFailed"), None)

    assert world.snapshot() == before


def test_an_event_that_is_not_the_published_one_releases_nothing(
    world: World, service: ModuleType
) -> None:
    world.store_order("PAYMENT_FAILED")
    world.stock("COFFEE", 3)
    before = world.snapshot()

    with pytest.raises(EventMismatchError, match="differs from what is stored in quantity"):
        service.handle(sample("PaymentFailed", quantity=1000), None)

    assert world.snapshot() == before


def test_a_sku_that_is_gone_is_an_error_and_the_order_stays_open(
    world: World, service: ModuleType
) -> None:
    world.store_order("PAYMENT_FAILED")

    with pytest.raises(EventMismatchError, match="the inventory has no COFFEE"):
        service.handle(sample("PaymentFailed"), None)

    assert world.statuses() == ["PAYMENT_FAILED"]

"""reserve_inventory: units and order move together or not at all."""

from types import ModuleType

import pytest
from botocore.exceptions import ClientError

from plumbing import conditional_write
from plumbing.outbox import EventMismatchError
from plumbing.publish import PublishError
from tests.world import World, published, sample


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("reserve_inventory")


def test_units_on_the_shelf_are_held(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)

    service.handle(sample("OrderCreated"), None)

    assert world.units("COFFEE") == 3
    assert world.published == [published("InventoryReserved")]
    assert (
        world.order()["reservationId"] == published("InventoryReserved")["detail"]["reservationId"]
    )
    assert world.statuses() == ["CREATED", "INVENTORY_RESERVED"]


def test_the_last_units_can_be_held(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 2)

    service.handle(sample("OrderCreated"), None)

    assert world.units("COFFEE") == 0
    assert world.published == [published("InventoryReserved")]


def test_too_few_units_are_out_of_stock_and_stay_on_the_shelf(
    world: World, service: ModuleType
) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 1)

    service.handle(sample("OrderCreated"), None)

    assert world.units("COFFEE") == 1
    assert world.published == [published("InventoryFailed")]
    assert world.order()["failureReason"] == "out of stock"
    assert world.statuses() == ["CREATED", "INVENTORY_FAILED"]


def test_an_unknown_sku_is_out_of_stock(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")

    service.handle(sample("OrderCreated"), None)

    assert world.published == [published("InventoryFailed")]


def test_a_duplicate_delivery_publishes_the_same_bytes_and_holds_nothing_more(
    world: World, service: ModuleType
) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)
    service.handle(sample("OrderCreated"), None)

    service.handle(sample("OrderCreated"), None)

    first, second = world.events.published
    assert first == second
    assert world.units("COFFEE") == 3


def test_out_of_stock_stays_so_although_new_units_came(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")
    service.handle(sample("OrderCreated"), None)

    world.stock("COFFEE", 5)
    service.handle(sample("OrderCreated"), None)

    assert [event["detail-type"] for event in world.published] == ["InventoryFailed"] * 2
    assert world.units("COFFEE") == 5


def test_a_refused_event_is_published_by_the_next_delivery(
    world: World, service: ModuleType
) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)
    world.events.refusals = 1

    with pytest.raises(PublishError, match="InternalFailure"):
        service.handle(sample("OrderCreated"), None)
    service.handle(sample("OrderCreated"), None)

    assert world.published == [published("InventoryReserved")]
    assert world.units("COFFEE") == 3


def test_an_order_that_has_moved_on_is_left_alone(world: World, service: ModuleType) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.stock("COFFEE", 5)
    before = world.snapshot()

    service.handle(sample("OrderCreated"), None)

    assert world.published == []
    assert world.snapshot() == before


def test_an_event_that_is_not_the_published_one_holds_nothing(
    world: World, service: ModuleType
) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)
    before = world.snapshot()

    with pytest.raises(EventMismatchError, match="differs from what is stored in quantity"):
        service.handle(sample("OrderCreated", quantity=4), None)

    assert world.published == []
    assert world.snapshot() == before


def test_a_conflict_with_another_buyer_is_tried_again(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)
    world.dynamodb.conflicts = conditional_write.TRIES - 1

    service.handle(sample("OrderCreated"), None)

    assert world.published == [published("InventoryReserved")]
    assert world.units("COFFEE") == 3


def test_conflicts_without_end_are_left_to_the_platform(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")
    world.stock("COFFEE", 5)
    world.dynamodb.conflicts = conditional_write.TRIES

    with pytest.raises(ClientError, match="TransactionCanceled"):
        service.handle(sample("OrderCreated"), None)

    assert world.published == []
    assert world.statuses() == ["CREATED"]

"""The indexes of open orders as the sweep reads them, also where an item has odd times."""

from datetime import timedelta
from typing import Any

import pytest

from explorer.memory import MemoryDynamoDB
from plumbing.attributes import attributes
from resume_orders.orders import OrdersTable
from resume_orders.resume_orders import UnreadableOrder
from tests.world import ORDER_ID, STORED_AT, TABLES, World

CREATED_AT = "2026-01-31T09:00:00.000Z"


class Recording(MemoryDynamoDB):
    """DynamoDB in memory that keeps the limit of each query."""

    def __init__(self) -> None:
        super().__init__(TABLES)
        self.limits: list[int] = []

    def call(self, operation: str, parameters: Any) -> Any:
        self.limits += [parameters["Limit"]] if operation == "Query" else []
        return super().call(operation, parameters)


@pytest.fixture
def dynamodb() -> Recording:
    return Recording()


@pytest.fixture
def orders(dynamodb: Recording) -> OrdersTable:
    client: Any = dynamodb
    return OrdersTable(client, "orders")


def _store(dynamodb: Recording, order_id: str, created_at: str, shard: str) -> None:
    item = {"orderId": order_id, "createdAt": created_at, "openShard": shard}
    dynamodb.tables["orders"][order_id] = attributes(item)


def test_of_the_oldest_order_one_is_read_in_each_partition(
    dynamodb: Recording, orders: OrdersTable
) -> None:
    _store(dynamodb, "00", CREATED_AT, "0")

    assert orders.oldest(STORED_AT) == STORED_AT
    assert set(dynamodb.limits) == {1}


def test_an_order_whose_time_is_none_is_not_the_oldest(
    dynamodb: Recording, orders: OrdersTable
) -> None:
    _store(dynamodb, "00", "2026 or so", "0")
    _store(dynamodb, "10", CREATED_AT, "1")

    assert orders.oldest(STORED_AT + timedelta(days=9999)) == STORED_AT


def test_given_up_orders_are_counted_in_a_page_of_as_many_as_are_counted(
    dynamodb: Recording, orders: OrdersTable
) -> None:
    for number in range(3):
        _store(dynamodb, f"0{number}", CREATED_AT, "given-up")

    assert orders.count_given_up(2) == 2
    assert dynamodb.limits == [2]


def test_a_walk_goes_on_after_an_order_whose_time_has_spaces(
    dynamodb: Recording, orders: OrdersTable
) -> None:
    _store(dynamodb, "00", "1 of many", "0")
    _store(dynamodb, "01", "2 of many", "0")
    [first, *_] = orders.walk("")

    rest = list(orders.walk(first.place))

    assert [order.order_id for order in rest] == ["01"]


def test_a_time_without_a_zone_is_none(world: World) -> None:
    client: Any = world.dynamodb
    world.store_order("CREATED")
    world.dynamodb.tables["orders"][ORDER_ID]["nextAttemptAt"] = {"S": "2026-01-31T09:00:00"}

    found = OrdersTable(client, "orders").find(ORDER_ID)

    assert isinstance(found, UnreadableOrder)

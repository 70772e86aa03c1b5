"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from time import perf_counter

from msgspec import Struct

from plumbing.aws import dynamodb, eventbridge
from plumbing.budget import within_time
from plumbing.envelope import decode
from plumbing.log import StepLog
from plumbing.publish import publisher
from plumbing.settings import read_settings
from reserve_inventory.events import PARTICIPANT, OrderCreated
from reserve_inventory.orders import OrdersTable
from reserve_inventory.reserve_inventory import reserve_inventory


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    event_source: str
    orders_table: str
    inventory_table: str
    aws_lambda_function_name: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(
    dynamodb(), settings.orders_table, settings.inventory_table, settings.event_source
)
publish = publisher(eventbridge(), settings.event_bus_name)
log_step = StepLog("OrderSaga", settings.aws_lambda_function_name, PARTICIPANT)


@within_time()
def handle(delivered: object, context: object) -> None:
    """Take one delivered OrderCreated."""
    begun = perf_counter()
    event = decode(delivered, OrderCreated)
    state = reserve_inventory(event, orders, publish)
    log_step("inventory decided", event, state, begun, orderId=event.order_id)

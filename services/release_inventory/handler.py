"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from time import perf_counter

from msgspec import Struct

from plumbing.aws import dynamodb
from plumbing.budget import within_time
from plumbing.envelope import decode
from plumbing.log import StepLog
from plumbing.settings import read_settings
from release_inventory.events import PARTICIPANT, PaymentFailed
from release_inventory.orders import OrdersTable
from release_inventory.release_inventory import release_inventory


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    orders_table: str
    inventory_table: str
    aws_lambda_function_name: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(dynamodb(), settings.orders_table, settings.inventory_table)
log_step = StepLog("OrderSaga", settings.aws_lambda_function_name, PARTICIPANT)


@within_time()
def handle(delivered: object, context: object) -> None:
    """Take one delivered PaymentFailed."""
    begun = perf_counter()
    event = decode(delivered, PaymentFailed)
    state = release_inventory(event, orders)
    log_step("inventory released", event, state, begun, orderId=event.order_id)

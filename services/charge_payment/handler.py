"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from time import perf_counter

from msgspec import Struct

from charge_payment.charge_payment import charge_payment
from charge_payment.events import PARTICIPANT, InventoryReserved
from charge_payment.gateway import SimulatedGateway
from charge_payment.orders import OrdersTable
from plumbing.aws import dynamodb, eventbridge
from plumbing.budget import within_time
from plumbing.envelope import decode
from plumbing.log import StepLog
from plumbing.publish import publisher
from plumbing.settings import read_settings
from plumbing.step import utc_now


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    event_source: str
    orders_table: str
    aws_lambda_function_name: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(dynamodb(), settings.orders_table, settings.event_source)
publish = publisher(eventbridge(), settings.event_bus_name)
log_step = StepLog("OrderSaga", settings.aws_lambda_function_name, PARTICIPANT)
gateway = SimulatedGateway()


@within_time()
def handle(delivered: object, context: object) -> None:
    """Take one delivered InventoryReserved."""
    begun = perf_counter()
    event = decode(delivered, InventoryReserved)
    state = charge_payment(event, orders, gateway, publish, utc_now())
    log_step("payment decided", event, state, begun, orderId=event.order_id)

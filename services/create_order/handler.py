"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from time import perf_counter

from msgspec import Struct

from create_order import api
from create_order.create_order import create_order
from create_order.events import PARTICIPANT, OrderCreated
from create_order.orders import OrdersTable
from plumbing.aws import dynamodb, eventbridge
from plumbing.budget import within_time
from plumbing.log import ErrorLog, StepLog
from plumbing.publish import publisher
from plumbing.settings import read_settings
from plumbing.step import format_timestamp, utc_now


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    event_source: str
    orders_table: str
    aws_lambda_function_name: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(dynamodb(), settings.orders_table, settings.event_source)
publish = publisher(eventbridge(), settings.event_bus_name)
log_unpublished = ErrorLog("OrderSaga", "unpublishedOrders", {"bus": settings.event_bus_name})
log_step = StepLog("OrderSaga", settings.aws_lambda_function_name, PARTICIPANT)


def place(order: OrderCreated) -> None:
    """Place one order, and log the step."""
    begun = perf_counter()
    state = create_order(order, orders, publish, log_unpublished)
    log_step("order accepted", order, state, begun, orderId=order.order_id)


@within_time(seconds=10)  # a customer waits
def handle(request: api.Request, context: object) -> api.Response:
    """Serve one HTTP request to the orders."""
    return api.respond(request, place, orders.find, format_timestamp(utc_now()))

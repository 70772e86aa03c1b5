"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from uuid import UUID

from msgspec import Struct

from create_order import api
from create_order.create_order import create_order
from create_order.events import OrderCreated
from create_order.orders import OrdersTable
from plumbing.aws import CALL_ERRORS, dynamodb, eventbridge
from plumbing.log import StepLog, log
from plumbing.publish import PublishError, publisher
from plumbing.settings import read_settings
from plumbing.step import utc_now, written


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    event_source: str
    orders_table: str
    aws_lambda_function_name: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(dynamodb(), settings.orders_table, settings.event_source)
publish = publisher(eventbridge(), settings.event_bus_name)
tell = StepLog("OrderSaga", settings.aws_lambda_function_name)


def place(said: OrderCreated) -> None:
    """Place one order, and log what came of it."""
    begun = perf_counter()
    standing = create_order(said, orders, publish)
    said_last = standing.event.detail_type
    tell("order accepted", said, standing, begun, orderId=said.order_id, detailType=said_last)


def find(order_id: UUID) -> Mapping[str, Any] | None:
    """Look an order up, and log whether it is there."""
    stored = orders.find(order_id)
    log("INFO", "order looked up", orderId=order_id, status=stored and stored["status"])
    return stored


def handle(request: dict[str, Any], context: object) -> api.Answer:
    """Answer one HTTP request to the orders."""
    try:
        return api.respond(request, place, find, written(utc_now()))
    except (PublishError, *CALL_ERRORS) as error:
        log("ERROR", "request not served", reason=f"{type(error).__name__}: {error}")
        return api.unavailable(request)

"""Wiring: the environment, the clients, and the function that Lambda calls."""

import os
from typing import Any

import msgspec
from msgspec import Struct

from plumbing.aws import dynamodb, eventbridge
from plumbing.budget import within_time
from plumbing.log import embedded_metrics, log
from plumbing.publish import publisher
from plumbing.settings import read_settings
from plumbing.step import utc_now
from resume_orders.orders import OrdersTable
from resume_orders.resume_orders import Call, resume


class Settings(Struct, frozen=True):
    """What the stack of this service sets."""

    event_bus_name: str
    orders_table: str


settings = read_settings(Settings, os.environ)
orders = OrdersTable(dynamodb(), settings.orders_table)
publish = publisher(eventbridge(), settings.event_bus_name)


@within_time()
def handle(call: object, context: object) -> dict[str, Any]:
    """Make one run, and return its report."""
    made = resume(msgspec.convert(call, Call), orders, publish, utc_now())
    report: dict[str, Any] = msgspec.to_builtins(made)
    numbers = {name: value for name, value in report.items() if isinstance(value, int)}
    metrics = embedded_metrics("OrderSaga", {"bus": settings.event_bus_name}, numbers)
    level = "ERROR" if report["failures"] else "WARNING" if report.get("gaveUp") else "INFO"
    log(level, "orders resumed", **report | metrics)
    return report

"""The services' real handlers on AWS in memory."""

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from contracts import CONTRACTS
from plumbing import aws, conditional_write
from plumbing.step import TRACEPARENT, opened, stamp, written
from tests.memory import MemoryDynamoDB, MemoryEvents

SAMPLES = {contract.detail_type: json.loads(contract.sample.read_text()) for contract in CONTRACTS}
HEARD_BY = {contract.detail_type: list(contract.heard) for contract in CONTRACTS}
ORDER_ID = SAMPLES["OrderCreated"]["detail"]["orderId"]
ORDERS, INVENTORY = "orders", "inventory"
STORED_AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
ENDS = ("SHIPPING_SCHEDULED", "INVENTORY_FAILED", "INVENTORY_RELEASED")


class World:
    """AWS in memory, and the services' handlers wired to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dynamodb = MemoryDynamoDB({ORDERS: "orderId", INVENTORY: "sku"})
        self.events = MemoryEvents()
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(aws, "dynamodb", lambda: self.dynamodb)
        monkeypatch.setattr(aws, "eventbridge", lambda: self.events)
        monkeypatch.setattr(conditional_write, "FIRST_PAUSE_SECONDS", 0)

    def handler(self, service: str) -> ModuleType:
        """Import a service's handler anew, as a cold start does."""
        settings = {
            "EVENT_BUS_NAME": "bus",
            "EVENT_SOURCE": f"orders.{service}",
            "ORDERS_TABLE": ORDERS,
            "INVENTORY_TABLE": INVENTORY,
            "AWS_LAMBDA_FUNCTION_NAME": f"order-saga-{service.replace('_', '-')}",
        }
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)
        sys.modules.pop(f"{service}.handler", None)
        return importlib.import_module(f"{service}.handler")

    def store_order(self, status: str, **changes: Any) -> None:
        """Store the samples' order as it is at this status."""
        event = next(sample for sample in SAMPLES.values() if _status(sample) == status)
        detail = {**event["detail"], **changes}
        stored = {"failureReason" if n == "reason" else n: v for n, v in detail.items()}
        del stored[TRACEPARENT]
        stored |= {
            "status": status,
            "event": {
                "source": event["source"],
                "detailType": event["detail-type"],
                "detail": json.dumps(detail, separators=(",", ":")),
            },
            "history": [stamp(status, written(STORED_AT))],
            **(opened(UUID(detail["orderId"])) if status not in ENDS else {}),
        }
        serialize = TypeSerializer().serialize
        item = {name: serialize(value) for name, value in stored.items()}
        self.dynamodb.tables[ORDERS][detail["orderId"]] = item

    def order(self, order_id: str = ORDER_ID) -> dict[str, Any]:
        """Answer what is stored of an order."""
        deserialize = TypeDeserializer().deserialize
        item = self.dynamodb.tables[ORDERS][order_id]
        return {name: deserialize(value) for name, value in item.items()}

    def statuses(self, order_id: str = ORDER_ID) -> list[str]:
        """Answer the statuses of an order, in the order it came to them."""
        return [step["status"] for step in self.order(order_id)["history"]]

    def stock(self, sku: str, units: int) -> None:
        """Put units on the shelf."""
        self.dynamodb.tables[INVENTORY][sku] = {"sku": {"S": sku}, "available": {"N": str(units)}}

    def units(self, sku: str) -> int:
        """Answer the units on the shelf."""
        return int(self.dynamodb.tables[INVENTORY][sku]["available"]["N"])

    def snapshot(self) -> Any:
        """Answer everything that is stored, to compare with later."""
        return json.loads(json.dumps(self.dynamodb.tables))

    @property
    def said(self) -> list[dict[str, Any]]:
        """Answer the events said so far, decoded."""
        return [
            {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "detail": json.loads(entry["Detail"]),
            }
            for entry in self.events.said
        ]

    def run(self) -> None:
        """Deliver every event to those who hear it, until none is left."""
        handles: dict[str, Callable[[Any, object], None]] = {}
        delivered = 0
        while delivered < len(self.events.said):
            event = self.said[delivered]
            delivered += 1
            for service in HEARD_BY[event["detail-type"]]:
                if service not in handles:
                    handles[service] = self.handler(service).handle
                handles[service](sample(event["detail-type"], **event["detail"]), None)


def sample(detail_type: str, **changes: Any) -> dict[str, Any]:
    """Answer a contract's sample, as delivered, with these fields of its detail changed."""
    delivered: dict[str, Any] = json.loads(json.dumps(SAMPLES[detail_type]))
    delivered["detail"] |= changes
    return delivered


def said(detail_type: str, **changes: Any) -> dict[str, Any]:
    """Answer what a service says when it says the sample, to compare with what was said."""
    delivered = sample(detail_type, **changes)
    return {name: delivered[name] for name in ("source", "detail-type", "detail")}


def request(
    method: str = "POST",
    path: str = "/orders",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Answer an HTTP request as API Gateway hands it over (payload format 2.0)."""
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": dict(headers or {}),
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def _status(event: Any) -> str:
    """Answer the status in which a sample's event leaves its order."""
    contract = next(c for c in CONTRACTS if c.detail_type == event["detail-type"])
    return str(contract.said.status)  # type: ignore[attr-defined]

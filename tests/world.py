"""The services' real handlers on AWS in memory."""

import ast
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from contracts import CONTRACTS
from explorer.app import Index, Table
from explorer.memory import MemoryDynamoDB, MemoryEvents
from harness.saga import FINAL
from plumbing import aws, conditional_write, step
from plumbing.event import digest_of
from plumbing.step import TRACEPARENT, format_timestamp, history_entry, open_index_key

SAMPLES = {contract.detail_type: json.loads(contract.sample.read_text()) for contract in CONTRACTS}
CONSUMERS = {contract.detail_type: list(contract.consumers) for contract in CONTRACTS}
ORDER_ID = SAMPLES["OrderCreated"]["detail"]["orderId"]
ORDERS, INVENTORY = "orders", "inventory"
INDEXES = {
    "open": Index("openShard", "createdAt", ("nextAttemptAt",)),
    "deferred": Index("openShard", "nextAttemptAt", ()),
}
TABLES = [Table(ORDERS, "orderId", indexes=INDEXES), Table(INVENTORY, "sku")]
SERVICES_FOLDER = Path(__file__).resolve().parent.parent / "services"
STORED_AT = datetime(2026, 1, 31, 9, tzinfo=UTC)


class World:
    """AWS in memory, and the services' handlers wired to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dynamodb = MemoryDynamoDB(TABLES)
        self.events = MemoryEvents()
        self.now = STORED_AT
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(step, "utc_now", lambda: self.now)
        monkeypatch.setattr(aws, "dynamodb", lambda: self.dynamodb)
        monkeypatch.setattr(aws, "eventbridge", lambda: self.events)
        monkeypatch.setattr(conditional_write, "FIRST_PAUSE_SECONDS", 0)

    def handler(self, service: str) -> ModuleType:
        """Import a service's handler again, as a cold start does."""
        for name, value in settings(service).items():
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
            "outbox": {
                "source": event["source"],
                "detailType": event["detail-type"],
                "detail": json.dumps(detail, separators=(",", ":")),
                "digest": digest_of(detail),
            },
            "history": [history_entry(status, format_timestamp(STORED_AT))],
            **(open_index_key(UUID(detail["orderId"])) if status not in FINAL else {}),
        }
        serialize = TypeSerializer().serialize
        item = {name: serialize(value) for name, value in stored.items()}
        self.dynamodb.tables[ORDERS][detail["orderId"]] = item

    def order(self, order_id: str = ORDER_ID) -> dict[str, Any]:
        """Return what is stored of an order."""
        deserialize = TypeDeserializer().deserialize
        item = self.dynamodb.tables[ORDERS][order_id]
        return {name: deserialize(value) for name, value in item.items()}

    def statuses(self, order_id: str = ORDER_ID) -> list[str]:
        """Return the statuses of an order, in the order it came to them."""
        return [step["status"] for step in self.order(order_id)["history"]]

    def stock(self, sku: str, units: int) -> None:
        """Set the units of a SKU."""
        self.dynamodb.tables[INVENTORY][sku] = {"sku": {"S": sku}, "available": {"N": str(units)}}

    def units(self, sku: str) -> int:
        """Return the units of a SKU."""
        return int(self.dynamodb.tables[INVENTORY][sku]["available"]["N"])

    def snapshot(self) -> Any:
        """Return everything that is stored, to compare with later."""
        return json.loads(json.dumps(self.dynamodb.tables))

    @property
    def published(self) -> list[dict[str, Any]]:
        """Return the events published so far, decoded."""
        return [
            {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "detail": json.loads(entry["Detail"]),
            }
            for entry in self.events.published
        ]

    def run(self) -> None:
        """Deliver every event to its consumers, until none is left."""
        handles: dict[str, Callable[[Any, object], None]] = {}
        delivered = 0
        while delivered < len(self.events.published):
            event = self.published[delivered]
            delivered += 1
            for service in CONSUMERS[event["detail-type"]]:
                if service not in handles:
                    handles[service] = self.handler(service).handle
                envelope = sample(event["detail-type"])
                handles[service]({**envelope, "detail": event["detail"]}, None)


def settings(service: str, folder: Path = SERVICES_FOLDER) -> dict[str, str]:
    """Return the environment of a service's function: a value for each field of its Settings."""
    handler = ast.parse((folder / service / "handler.py").read_text())
    [declared] = [n for n in handler.body if isinstance(n, ast.ClassDef) and n.name == "Settings"]
    fields = [ast.unparse(n.target) for n in declared.body if isinstance(n, ast.AnnAssign)]
    values = {
        "event_bus_name": "bus",
        "event_source": f"orders.{service}",
        "aws_lambda_function_name": f"order-saga-{service.replace('_', '-')}",
    }
    return {name.upper(): values.get(name, name.removesuffix("_table")) for name in fields}


def sample(detail_type: str, **changes: Any) -> dict[str, Any]:
    """Return a contract's sample, as delivered, with these fields of its detail changed."""
    delivered: dict[str, Any] = json.loads(json.dumps(SAMPLES[detail_type]))
    delivered["detail"] |= changes
    return delivered


def published(detail_type: str, **changes: Any) -> dict[str, Any]:
    """Return the sample as a service publishes it."""
    delivered = sample(detail_type, **changes)
    return {name: delivered[name] for name in ("source", "detail-type", "detail")}


def request(
    method: str = "POST",
    path: str = "/orders",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an HTTP request as API Gateway hands it over (payload format 2.0)."""
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": dict(headers or {}),
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body if body is None or isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def _status(event: Any) -> str:
    """Return the status in which a sample's event leaves its order."""
    contract = next(c for c in CONTRACTS if c.detail_type == event["detail-type"])
    return str(contract.published.status)  # type: ignore[attr-defined]

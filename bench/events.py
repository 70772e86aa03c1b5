"""What the functions are given: the samples of the contracts, and the order as it is stored."""

from __future__ import annotations

import json
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from contracts import CONTRACTS, Contract

REQUEST = {"customerId": "CUST-1", "sku": "COFFEE", "quantity": 2, "amountCents": 1998}


def event(service: str) -> bytes:
    """Return an event that this service consumes, as Lambda delivers it."""
    if service == "create_order":
        return json.dumps(_request()).encode()
    return _consumed_by(service).sample.read_bytes()


def item(service: str) -> dict[str, Any]:
    """Return the order as it is stored when that event is delivered, in DynamoDB's JSON."""
    if service == "create_order":
        return {}
    contract = _consumed_by(service)
    sample = json.loads(contract.sample.read_text())
    detail = sample["detail"]
    stored = {
        **{"failureReason" if name == "reason" else name: value for name, value in detail.items()},
        "status": contract.published.status,  # type: ignore[attr-defined]  # every event has it
        "outbox": {
            "source": sample["source"],
            "detailType": sample["detail-type"],
            "detail": json.dumps(detail, separators=(",", ":")),
        },
        "history": [{"status": "CREATED", "at": "2026-01-31T09:00:00.000Z"}],
    }
    serialize = TypeSerializer().serialize
    return {name: serialize(value) for name, value in stored.items()}


def _consumed_by(service: str) -> Contract:
    return next(contract for contract in CONTRACTS if service in contract.consumers)


def _request() -> dict[str, Any]:
    """Build POST /orders as API Gateway sends it (payload format 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "ANY /orders",
        "rawPath": "/orders",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "example.com"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "abcdefghij",
            "http": {
                "method": "POST",
                "path": "/orders",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "bench",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "ANY /orders",
            "stage": "$default",
            "time": "31/Jan/2026:09:00:00 +0000",
            "timeEpoch": 1769850000000,
        },
        "body": json.dumps(REQUEST),
        "isBase64Encoded": False,
    }

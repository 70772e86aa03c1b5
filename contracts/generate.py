"""Generate the schemas of the events and the OpenAPI document from the services' structs."""

import json
from pathlib import Path
from typing import Any

import msgspec

from contracts import CONTRACTS, FOLDER, Contract, participants
from create_order.api import (
    IDEMPOTENCY_KEY,
    MAX_BYTES,
    ORDER_ID,
    OrderAccepted,
    OrderRecord,
    OrderRequest,
    Problem,
)

# Stored orders have these statuses: none may vanish. See docs/evolution.md.
STATUSES = FOLDER / "statuses.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def documents() -> dict[Path, str]:
    """Return each generated file and its text."""
    generated = {contract.schema: _event_schema(contract) for contract in CONTRACTS}
    generated[FOLDER / "openapi.json"] = _openapi()
    generated[STATUSES] = _statuses()
    return {path: json.dumps(content, indent=2) + "\n" for path, content in generated.items()}


def _statuses() -> dict[str, str]:
    """Return the statuses that orders may have, and the service that makes each.

    One that is in the file already stays there, whatever services declare: orders may have it.
    """
    locked: dict[str, str] = json.loads(STATUSES.read_text()) if STATUSES.exists() else {}
    declared = {step.to: name for name, one in participants().items() for step in one.steps}
    return dict(sorted((locked | declared).items()))


def _event_schema(contract: Contract) -> dict[str, Any]:
    schema = msgspec.json.schema(contract.published)
    # What an event carries lies beside the declared fields on the wire.
    del schema["$defs"][contract.detail_type]["properties"]["carried"]
    return {"$schema": DIALECT, **schema}


def _openapi() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(
        [OrderRequest, OrderAccepted, OrderRecord, Problem],
        ref_template="#/components/schemas/{name}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders",
            "version": "1.0.0",
            "description": "Place an order and read its record.",
        },
        "paths": {
            "/orders": {"post": _post()},
            "/orders/{orderId}": {"get": _get()},
        },
        "components": {"schemas": schemas},
    }


def _post() -> dict[str, Any]:
    return {
        "operationId": "createOrder",
        "summary": "Place an order",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key and body are the same order, however often sent. "
                "A key that is sent twice in one request is refused.",
                "schema": {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY.pattern}$"},
            },
            {
                "name": "traceparent",
                "in": "header",
                "description": "The caller's trace (W3C Trace Context), carried by every event.",
                "schema": {"type": "string"},
            },
        ],
        "requestBody": {"required": True, "content": _json("OrderRequest")},
        "responses": {
            "202": {
                "description": "The order is stored, and its event is published now or later.",
                "headers": {"Location": _location("Where the order's record is.")},
                "content": _json("OrderAccepted"),
            },
            "400": _problem(
                "The body is not a JSON object, or is nested too deeply; or the key is not one of "
                "visible ASCII characters without a comma."
            ),
            "413": _problem(f"The body has more than {MAX_BYTES} bytes."),
            "422": _problem("A field is missing or wrong, or the key belongs to another body."),
            "503": {
                **_problem(
                    "It is not known whether the order is stored. With a key, send it again with "
                    "the same key: it will be one order. Without one, read the order at Location "
                    "in a few seconds, and send it again only if there is none."
                ),
                "headers": {
                    "Location": _location("Without a key: where the order's record is, if stored."),
                    "Retry-After": {
                        "description": "With a key: after so many seconds.",
                        "schema": {"type": "integer"},
                    },
                },
            },
        },
    }


def _get() -> dict[str, Any]:
    return {
        "operationId": "getOrder",
        "summary": "Read an order",
        "parameters": [
            {
                "name": "orderId",
                "in": "path",
                "required": True,
                "description": "As POST returned it; no other form of a UUID is found.",
                "schema": {"type": "string", "format": "uuid", "pattern": f"^{ORDER_ID.pattern}$"},
            }
        ],
        "responses": {
            "200": {"description": "The order's record.", "content": _json("OrderRecord")},
            "404": _problem("No order has this id."),
            "503": _problem("The order could not be read: ask again."),
        },
    }


def _location(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", "format": "uri-reference"}}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }

"""The reads of items by their keys: GetItem and BatchGetItem."""

from __future__ import annotations

from typing import Any

from explorer.dynamodb.expressions import read_expressions
from explorer.dynamodb.paths import project
from explorer.dynamodb.refusals import invalid
from explorer.dynamodb.tables import Items, Tables, check_known
from explorer.dynamodb.writes import Request

_READ = frozenset(["ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"])
_KNOWN = _READ | {"TableName", "Key", "ReturnConsumedCapacity"}
_KNOWN_BATCH = frozenset(["RequestItems", "ReturnConsumedCapacity"])
_KNOWN_KEYS = _READ | {"Keys"}


def get(request: Request, tables: Tables, items: Items, older: Items) -> Any:
    """Return the item of a key; without ConsistentRead as it was in the `older` items."""
    check_known("GetItem", request, _KNOWN)
    expressions, _ = read_expressions(request)
    keys = tables[request["TableName"]]
    _, text = keys.key(request["Key"])
    read = items if request.get("ConsistentRead") else older
    item = read.get(keys.table.name, {}).get(text)
    if item is None:
        return {}
    places = expressions.projection
    return {"Item": dict(item) if places is None else project(item, places)}


def get_batch(request: Request, tables: Tables, items: Items, older: Items) -> Any:
    """Return the items of several keys that there are."""
    check_known("BatchGetItem", request, _KNOWN_BATCH)
    requested = request["RequestItems"]
    if not 1 <= sum(len(entry["Keys"]) for entry in requested.values()) <= 100:
        raise invalid("Too many items requested for the BatchGetItem call")
    responses: dict[str, Any] = {}
    for name, entry in requested.items():
        check_known("BatchGetItem", entry, _KNOWN_KEYS)
        expressions, _ = read_expressions(entry)
        keys = tables[name]
        texts = [keys.key(key)[1] for key in entry["Keys"]]
        if len(set(texts)) < len(texts):
            raise invalid("Provided list of item keys contains duplicates")
        read = (items if entry.get("ConsistentRead") else older).get(keys.table.name, {})
        found = [read[text] for text in texts if text in read]
        places = expressions.projection
        responses[name] = found if places is None else [project(item, places) for item in found]
    return {"Responses": responses, "UnprocessedKeys": {}}

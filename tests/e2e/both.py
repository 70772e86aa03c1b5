"""A client that asks the emulator's DynamoDB and the one in memory, and fails when they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from botocore.exceptions import ClientError

from explorer.app import Index, Table
from explorer.dynamodb import canonical_item, key_text
from explorer.memory import MemoryDynamoDB

COMPARED = [
    *("Item", "Items", "Attributes", "Responses", "Count", "ScannedCount", "LastEvaluatedKey"),
    *("UnprocessedItems", "UnprocessedKeys"),
]


class Both:
    """Two clients as one.

    doubts: of the call to come, what of it the emulator may answer otherwise than AWS. Where it
        does, the memory's answer holds, and its items are put into the emulator.
    met: how often it did, by the doubts.
    """

    def __init__(self, emulator: Any, tables: Sequence[Table]) -> None:
        self._emulator, self.memory = emulator, MemoryDynamoDB(tables)
        self._tables = {table.name: table for table in tables}
        self.exceptions = self.memory.exceptions
        self.doubts: set[str] = set()
        self.met: Counter[str] = Counter()
        self.answers: list[str] = []

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def ask(**arguments: Any) -> Any:
            answered, raised = _answer(getattr(self.memory, operation), deepcopy(arguments))
            expected, _ = _answer(getattr(self._emulator, operation), arguments)
            same = answered == expected
            assert same or self.doubts, (operation, arguments, answered, expected)
            if not same or (self._may_have_written(operation, expected) and not self._agree()):
                self.met.update(self.doubts)
                self._take_over()
            self.answers.append(f"{operation} {answered.get('error', 'done')}")
            if raised:
                raise raised
            return answered

        return ask

    def _may_have_written(self, operation: str, answer: Any) -> bool:
        writes = ("put_item", "update_item", "delete_item", "transact_write_items")
        return bool(self.doubts) and operation in writes and "error" not in answer

    def _agree(self) -> bool:
        return self._stored() == self.memory.tables

    def _stored(self) -> dict[str, dict[str, Any]]:
        """Return what is stored in the emulator, as the memory has it."""
        scanned = {name: self._emulator.scan(TableName=name)["Items"] for name in self._tables}
        return {
            name: {key_text(self._tables[name], one): dict(canonical_item(one)) for one in items}
            for name, items in scanned.items()
        }

    def check_items(self) -> None:
        """Compare all that is stored."""
        assert self._agree()

    def _take_over(self) -> None:
        for name, table in self._tables.items():
            keys = [key for key in (table.partition, table.sort) if key]
            for item in self._emulator.scan(TableName=name)["Items"]:
                self._emulator.delete_item(TableName=name, Key={key: item[key] for key in keys})
            for item in self.memory.tables[name].values():
                self._emulator.put_item(TableName=name, Item=deepcopy(item))


def create_tables(client: Any, tables: Sequence[Table]) -> None:
    """Create tables as they are declared, without items."""
    for table in tables:
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=table.name)
        keyed: list[Table | Index] = [table, *table.indexes.values()]
        keys = {key for one in keyed for key in (one.partition, one.sort) if key}
        indexes = {
            "GlobalSecondaryIndexes": [
                _index(name, index) for name, index in table.indexes.items() if not index.local
            ],
            "LocalSecondaryIndexes": [
                _index(name, index) for name, index in table.indexes.items() if index.local
            ],
        }
        client.create_table(
            TableName=table.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": table.types.get(key, "S")} for key in keys
            ],
            KeySchema=_schema(table),
            **{kind: described for kind, described in indexes.items() if described},
        )


def _schema(keys: Table | Index) -> list[dict[str, str]]:
    schema = [{"AttributeName": keys.partition, "KeyType": "HASH"}]
    if keys.sort:
        schema.append({"AttributeName": keys.sort, "KeyType": "RANGE"})
    return schema


def _index(name: str, index: Index) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": "ALL"}
    if index.projects is not None:
        projection = {"ProjectionType": "KEYS_ONLY"}
    if index.projects:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projects)}
    return {"IndexName": name, "KeySchema": _schema(index), "Projection": projection}


def _answer(call: Callable[..., Any], arguments: Any) -> tuple[dict[str, Any], Exception | None]:
    """Call, and return the result without what only a real service has, or the error."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        reasons: Any = error.response.get("CancellationReasons", [])
        seen = [{"Code": one["Code"], "Item": _plain(one.get("Item"))} for one in reasons]
        # AWS looks for no other after the first of these: test_transact.py of ScyllaDB's tests.
        for reason in [one for one in seen if one["Code"] == "ValidationError"][1:]:
            reason["Code"] = "None"
        code, item = error.response["Error"]["Code"], _plain(error.response.get("Item"))
        return {"error": code, "item": item, "reasons": seen}, error
    kept = {name: _plain(value) for name, value in answer.items() if name in COMPARED}
    if kept.get("Attributes") == {}:
        del kept["Attributes"]  # AWS leaves it out: test_returnvalues.py of ScyllaDB's tests
    if "ScannedCount" in kept and "IndexName" not in arguments and "KeyCondition" not in arguments:
        kept["Items"] = sorted(kept.get("Items", ()), key=lambda one: json.dumps(one, default=str))
    return kept, None


def _plain(value: Any) -> Any:
    """Return what is answered with every item in it in canonical form."""
    if isinstance(value, Mapping):
        if value and all(_is_value(one) for one in value.values()):
            return canonical_item(value)
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _is_value(value: Any) -> bool:
    kinds = {"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}
    return isinstance(value, Mapping) and len(value) == 1 and value.keys() <= kinds

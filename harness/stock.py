"""The stock: the units per SKU, read and set."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.names import table_name

if TYPE_CHECKING:
    from harness.environment import Clients

SEED_STOCK = {"COFFEE": 100_000, "TEA": 100_000, "LAST-ONE": 1, "OUT-OF-STOCK": 0}


class Stock:
    """The `inventory` table of a deployment."""

    def __init__(self, clients: Clients) -> None:
        self._table = table_name("inventory", clients.prefix)
        self._client = clients.client("dynamodb")

    def set(self, stock: Mapping[str, int]) -> dict[str, int | None]:
        """Set the units of each SKU; return those that it had before, None for a new one."""
        before: dict[str, int | None] = {}
        for sku, units in stock.items():
            replaced = self._client.put_item(
                TableName=self._table,
                Item={"sku": {"S": sku}, "available": {"N": str(units)}},
                ReturnValues="ALL_OLD",
            ).get("Attributes")
            before[sku] = int(replaced["available"]["N"]) if replaced else None
        return before

    def remove(self, sku: str) -> None:
        """Remove a SKU."""
        self._client.delete_item(TableName=self._table, Key={"sku": {"S": sku}})

    def seed(self, stock: Mapping[str, int]) -> None:
        """Set the units of each SKU that the inventory does not have yet."""
        for sku, units in stock.items():
            with contextlib.suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(
                    TableName=self._table,
                    Item={"sku": {"S": sku}, "available": {"N": str(units)}},
                    ConditionExpression="attribute_not_exists(sku)",
                )

    def units(self, sku: str) -> int | None:
        """Return the units available of a SKU, or None when the inventory does not have it."""
        response = self._client.get_item(
            TableName=self._table, Key={"sku": {"S": sku}}, ConsistentRead=True
        )
        return int(response["Item"]["available"]["N"]) if "Item" in response else None

    def all(self) -> dict[str, int]:
        """Return the units available of every SKU."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table)
        items = [item for page in pages for item in page["Items"]]
        return {item["sku"]["S"]: int(item["available"]["N"]) for item in items}

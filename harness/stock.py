"""The units per SKU: reading and setting them as a shopkeeper does."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from harness.deploy import PREFIX, session

TABLE = f"{PREFIX}-inventory"


class Stock:
    """The `inventory` table of an environment."""

    def __init__(self, endpoint: str) -> None:
        self._client = session().client("dynamodb", endpoint_url=endpoint)

    def fill(self, shelves: Mapping[str, int]) -> None:
        """Set the units of each SKU."""
        for sku, units in shelves.items():
            self._client.put_item(
                TableName=TABLE, Item={"sku": {"S": sku}, "available": {"N": str(units)}}
            )

    def open(self, shelves: Mapping[str, int]) -> None:
        """Set the units of each SKU that the inventory does not know yet."""
        for sku, units in shelves.items():
            with contextlib.suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(
                    TableName=TABLE,
                    Item={"sku": {"S": sku}, "available": {"N": str(units)}},
                    ConditionExpression="attribute_not_exists(sku)",
                )

    def units(self, sku: str) -> int | None:
        """Answer the units available of a SKU, or None when the inventory does not know it."""
        answer = self._client.get_item(
            TableName=TABLE, Key={"sku": {"S": sku}}, ConsistentRead=True
        )
        return int(answer["Item"]["available"]["N"]) if "Item" in answer else None

    def all(self) -> dict[str, int]:
        """Answer the units available of every SKU."""
        pages = self._client.get_paginator("scan").paginate(TableName=TABLE)
        items = [item for page in pages for item in page["Items"]]
        return {item["sku"]["S"]: int(item["available"]["N"]) for item in items}

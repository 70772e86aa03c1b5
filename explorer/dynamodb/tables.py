"""Tables: keys and their texts, what may be stored, what an index has of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from explorer.app import Index, Table
from explorer.calls import UnknownCallError
from explorer.dynamodb.refusals import Refusal, invalid, invalid_value
from explorer.dynamodb.values import (
    Item,
    Value,
    canonical,
    canonical_item,
    is_too_big,
    kind_of,
    number_text,
    sort_place,
)

# By the name of the table, then by the text of the primary key.
Items = Mapping[str, Mapping[str, Item]]

_KEY_SIZES = (("hash", 2048), ("range", 1024))
_WORDS = {"S": "string", "N": "number", "B": "binary"}
_NOT_VALID = "One or more parameter values are not valid."
_EMPTY = "The AttributeValue for a key attribute cannot contain an empty {kind} value."


def key_text(table: Table, item: Item) -> str:
    """Return the text of the primary key of an item, or of a key; a string's is the string."""
    partition = _text(item[table.partition])
    if table.sort is None:
        return partition
    return json.dumps([partition, _text(item[table.sort])], ensure_ascii=False)


def _text(value: Value) -> str:
    [(kind, content)] = value.items()
    return content.hex() if kind == "B" else number_text(content) if kind == "N" else str(content)


class Keys:
    """A table's keys and those of its indexes, and what they ask of what is stored."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.names = [name for name in (table.partition, table.sort) if name is not None]
        self._types = [(name, self.type_of(name)) for name in self.names]
        self._index_types = [
            (name, self.type_of(name), index_name)
            for index_name, index in table.indexes.items()
            for name in index_keys(index)
            if name not in self.names
        ]

    def type_of(self, name: str) -> str:
        """Return the type of an attribute that is a key."""
        return self.table.types.get(name, "S")

    def key(self, key: Item) -> tuple[Item, str]:
        """Return a key in its canonical form, and its text."""
        if len(key) != len(self._types) or any(
            name not in key or kind not in key[name] for name, kind in self._types
        ):
            raise invalid("The provided key element does not match the schema")
        found = {name: canonical(value) for name, value in key.items()}
        self._check_key(found)
        return found, key_text(self.table, found)

    def item(self, item: Item) -> tuple[Item, str]:
        """Return an item that is to be put in its canonical form, and the text of its key."""
        found = canonical_item(item)
        for name in self.names:
            if name not in found:
                raise invalid_value(f"Missing the key {name} in the item")
        wrong = self.wrong_type(found)
        if wrong:
            raise wrong
        self._check_key(found)
        return found, key_text(self.table, found)

    def wrong_type(self, item: Item) -> Refusal | None:
        """Return the error of a key of another type than the table's, None for none."""
        for name, kind in self._types:
            if name in item and kind not in item[name]:
                return invalid_value(
                    f"Type mismatch for key {name} expected: {kind} actual: {kind_of(item[name])}"
                )
        return None

    def _check_key(self, key: Item) -> None:
        for (name, kind), (role, most) in zip(self._types, _KEY_SIZES, strict=False):
            content = key[name][kind]
            if not content:
                raise invalid(f"{_NOT_VALID} {_EMPTY.format(kind=_WORDS[kind])} Key: {name}")
            if len(content) * 4 > most and len(_bytes(content)) > most:
                raise invalid_value(
                    f"Aggregated size of all {role} keys has exceeded the size limit of {most} "
                    "bytes"
                )

    def wrong_index_type(self, item: Item) -> Refusal | None:
        """Return the error of a key of an index of another type than it has, None for none."""
        for name, kind, index in self._index_types:
            if name in item and kind not in item[name]:
                return invalid_value(
                    f"Type mismatch for Index Key {name} Expected: {kind} "
                    f"Actual: {kind_of(item[name])} IndexName: {index}"
                )
        return None

    def check_index_keys(self, item: Item, *, updated: bool) -> None:
        """Refuse an empty key of an index."""
        for name, kind, index in self._index_types:
            if name not in item or item[name].get(kind, "any"):
                continue
            empty = _EMPTY.format(kind=_WORDS[kind])
            if updated:
                raise invalid(
                    f"{_NOT_VALID} The update expression attempted to update a secondary index "
                    f"key to a value that is not supported. {empty}"
                )
            raise invalid(
                f"{_NOT_VALID} A value specified for a secondary index key is not supported. "
                f"{empty} IndexName: {index}, IndexKey: {name}"
            )

    def too_big(self, item: Item, *, updated: bool) -> Refusal | None:
        """Return the error of an item that is too big, None where it is not."""
        if not is_too_big(item):
            return None
        return invalid(
            f"Item size{' to update' if updated else ''} has exceeded the maximum allowed size"
        )


class Tables:
    """The tables of a world, by their names."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._keys = {table.name: Keys(table) for table in tables}

    def __getitem__(self, name: str) -> Keys:
        keys = self._keys.get(name) or self._keys.get(name.rpartition(":table/")[2])
        if keys is None:
            raise Refusal("ResourceNotFoundException", "Requested resource not found")
        return keys


def index_keys(index: Index) -> list[str]:
    """Return the names of an index's keys."""
    return [name for name in (index.partition, index.sort) if name is not None]


def place_of(names: Sequence[str], item: Item) -> tuple[Any, ...]:
    """Return what places an item among others, by these of its attributes."""
    return tuple(sort_place(item[name]) for name in names)


def check_known(operation: str, parameters: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse to go on with parameters of which nothing is known here."""
    if not parameters.keys() <= known:
        name = min(parameters.keys() - known)
        raise UnknownCallError(f"DynamoDB's {operation} with {name} is not known to the explorer")
    for name in ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics"):
        if parameters.get(name, "NONE") != "NONE":
            raise UnknownCallError(
                f"DynamoDB's {operation} with {name} {parameters[name]} is not known to the "
                "explorer"
            )


def check_choice(parameters: Mapping[str, Any], name: str, *choices: str) -> str:
    """Return which of these values a parameter has; the first is its default."""
    value: str = parameters.get(name, choices[0])
    if value not in choices:
        member = name[0].lower() + name[1:]
        raise invalid(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(choices)}]"
        )
    return value


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else content.encode()

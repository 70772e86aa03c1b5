"""What DynamoDB bills for a request: request units by the sizes of the items it touches.

Sources: "DynamoDB item sizes and formats", "Read and write request units for on-demand mode" and
"Managing complex workflows with transactions", Amazon DynamoDB developer guide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Item = Mapping[str, Mapping[str, Any]]

WRITE_BYTES, READ_BYTES = 1024, 4096


class Index(msgspec.Struct, frozen=True):
    """A global secondary index: the attributes that are its key, and all that it has of an item."""

    key: Sequence[str]
    attributes: Sequence[str]


def size(item: Item) -> int:
    """Return the bytes of an item, as DynamoDB counts them."""
    return sum(len(name.encode()) + _size_of_value(value) for name, value in item.items())


def _size_of_value(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(str(content).encode())
        case "N":
            # One byte for two significant digits, one for the exponent, one for a minus.
            digits = content.lstrip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1 + int(content.startswith("-"))
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + _size_of_value(part) for part in content)
        case "M":
            return 3 + sum(
                1 + len(name.encode()) + _size_of_value(part) for name, part in content.items()
            )
    raise NotImplementedError(kind)


def write_units(
    before: Item | None,
    after: Item | None,
    indexes: Sequence[Index] = (),
    *,
    in_transaction: bool = False,
) -> int:
    """Return the units of a write that turns `before` into `after`; the same for one refused."""
    largest = max(size(before or {}), size(after or {}))
    of_table = max(1, math.ceil(largest / WRITE_BYTES)) * (2 if in_transaction else 1)
    return of_table + sum(_index_units(before, after, index) for index in indexes)


def _index_units(before: Item | None, after: Item | None, index: Index) -> int:
    old, new = _entry(before, index), _entry(after, index)
    if old == new:
        return 0
    if old and new and any(old[name] != new[name] for name in index.key):
        return _index_units(before, None, index) + _index_units(None, after, index)
    return max(1, math.ceil(max(size(old or {}), size(new or {})) / WRITE_BYTES))


def _entry(item: Item | None, index: Index) -> Item | None:
    """Return what an index has of an item: nothing when the item has not all of the key."""
    if item is None or any(name not in item for name in index.key):
        return None
    return {name: item[name] for name in index.attributes if name in item}


def read_units(read_bytes: int, *, consistent: bool) -> float:
    """Return the units of a read of so many bytes."""
    return max(1, math.ceil(read_bytes / READ_BYTES)) * (1 if consistent else 0.5)

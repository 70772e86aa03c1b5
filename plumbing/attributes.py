"""DynamoDB's typed values, to and from plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def attribute(value: Any) -> Any:
    """Convert a plain value to DynamoDB's form: 2 to {"N": "2"}.

    Raises TypeError for a type that is not stored here; money and units are whole numbers.
    """
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case list():
            return {"L": [attribute(part) for part in value]}
        case dict():
            return {"M": attributes(value)}
    raise TypeError(f"a {type(value).__name__} cannot be stored: {value!r}")


def attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the fields of an item to DynamoDB's form."""
    return {name: attribute(value) for name, value in values.items()}


def plain(attribute: Mapping[str, Any]) -> Any:
    """Convert one of DynamoDB's values to a plain one; sets and bytes are left as they are."""
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdigit() else Decimal(value)
        case "NULL":
            return None
        case "L":
            return [plain(part) for part in value]
        case "M":
            return plains(value)
    return value


def plains(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the fields of an item to plain values."""
    return {name: plain(value) for name, value in attributes.items()}

"""DynamoDB's typed values, to and from plain ones."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def attribute(value: Any) -> Any:
    """Write a plain value as DynamoDB has it: 2 as {"N": "2"}.

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
    """Write the fields of an item."""
    return {name: attribute(value) for name, value in values.items()}


def plain(attribute: Mapping[str, Any]) -> Any:
    """Read one of DynamoDB's values; what is never stored here is left as it is: sets, bytes."""
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
    """Read the fields of an item."""
    return {name: plain(value) for name, value in attributes.items()}

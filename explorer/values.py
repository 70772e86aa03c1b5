"""Plain values, and DynamoDB's form of them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def to_attribute(value: Any) -> Any:
    """Convert a plain value to DynamoDB's form: 2 to {"N": "2"}."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case list() | tuple():
            return {"L": [to_attribute(part) for part in value]}
        case dict():
            return {"M": to_item(value)}
    raise TypeError(f"a {type(value).__name__} cannot be stored: {value!r}")


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the fields of an item to DynamoDB's form."""
    return {name: to_attribute(value) for name, value in values.items()}


def to_plain(attribute: Mapping[str, Any]) -> Any:
    """Convert one of DynamoDB's values to a plain one; a number is an int where it is whole."""
    [(kind, value)] = attribute.items()
    match kind:
        case "N":
            number = Decimal(value)
            return int(number) if number == number.to_integral_value() else number
        case "NULL":
            return None
        case "L":
            return [to_plain(part) for part in value]
        case "M":
            return to_plain_item(value)
        case "SS" | "NS" | "BS":
            return set(value)
    return value


def to_plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item to plain values."""
    return {name: to_plain(value) for name, value in item.items()}

"""Values in DynamoDB's typed form: their one canonical form, their order, their size.

In canonical form a number has no superfluous digits and a set is sorted, so that two values are
equal in DynamoDB where they are equal in Python.
"""

from __future__ import annotations

import marshal
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from explorer.dynamodb.refusals import invalid, invalid_value

Value = Mapping[str, Any]
Item = Mapping[str, Value]

KINDS = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")
ORDERED = ("S", "N", "B")
LEVELS = 32  # of documents in each other
SIZE = 400 * 1024  # of an item, in bytes

_EXACT = Context(prec=300)  # the longest sum of two numbers
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_OVERFLOW = (
    "Number overflow. Attempting to store a number with magnitude larger than supported range"
)
_UNDERFLOW = (
    "Number underflow. Attempting to store a number with magnitude smaller than supported range"
)
_DIGITS = "Attempting to store more than 38 significant digits in a Number"
_EMPTY_SETS = {
    "SS": "An string set  may not be empty",
    "NS": "An number set  may not be empty",
    "BS": "Binary sets should not be empty",
}
_NOT_A_VALUE = (
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
)

number = lru_cache(maxsize=4096)(Decimal)


def kind_of(value: Value) -> str:
    """Return the type of a value: `S`, `N`, ..."""
    for kind in value:
        return kind
    raise invalid(_NOT_A_VALUE)


def canonical(value: Value, level: int = 1) -> Value:
    """Return a value in its canonical form, itself where it has it."""
    if len(value) != 1:
        raise invalid(_NOT_A_VALUE)
    [(kind, content)] = value.items()
    if kind == "S" and isinstance(content, str):
        return value
    match kind:
        case "N" if isinstance(content, str):
            text = number_text(content)
            return value if text == content else {"N": text}
        case "B" if isinstance(content, (bytes, bytearray)):
            return value if isinstance(content, bytes) else {"B": bytes(content)}
        case "BOOL" if isinstance(content, bool):
            return value
        case "NULL" if content is True:
            return value
        case "NULL":
            raise invalid_value("Null attribute value types must have the value of true")
        case "M" | "L" if level >= LEVELS and content:
            raise invalid(
                "Nesting Levels have exceeded supported limits: "
                "Attributes in the item have nested levels beyond supported limit"
            )
        case "M":
            return {"M": {name: canonical(part, level + 1) for name, part in content.items()}}
        case "L":
            return {"L": [canonical(part, level + 1) for part in content]}
        case "SS" | "NS" | "BS":
            return {kind: _members(kind, content)}
    raise invalid(_NOT_A_VALUE)


def canonical_item(item: Item) -> dict[str, Value]:
    """Return an item with all values in their canonical form."""
    return {name: canonical(value) for name, value in item.items()}


def _members(kind: str, content: Any) -> list[Any]:
    if not content:
        raise invalid_value(_EMPTY_SETS[kind])
    members = [canonical({kind[0]: member})[kind[0]] for member in content]
    if len(set(members)) < len(members):
        shown = ", ".join(map(str, content))
        raise invalid_value(f"Input collection [{shown}] contains duplicates.")
    return in_order(kind, members)


def in_order(kind: str, members: Any) -> list[Any]:
    """Return the members of a set in the order of the canonical form."""
    return sorted(members, key=number if kind == "NS" else None)


def number_text(text: str) -> str:
    """Return the canonical text of a number."""
    if text.isdecimal() and text.isascii() and len(text) <= 38 and (text[0] != "0" or text == "0"):
        return text
    return _number_text(text)


@lru_cache(maxsize=4096)
def _number_text(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    exact = Decimal(text)
    if not exact:
        return "0"
    if exact.adjusted() > 125:
        raise invalid(_OVERFLOW)
    if exact.adjusted() < -130:
        raise invalid(_UNDERFLOW)
    short = exact.normalize(_EXACT)
    if len(short.as_tuple().digits) > 38:
        raise invalid(_DIGITS)
    return format(short, "f")


@lru_cache(maxsize=4096)
def total(left: str, sign: str, right: str) -> str:
    """Return the sum or the difference of two numbers.

    One that needs more than 38 digits is refused with the words of an overflow, as by DynamoDB:
    test_update_expression_plus_imprecise in ScyllaDB's test/alternator/test_number.py.
    """
    add = _EXACT.add if sign == "+" else _EXACT.subtract
    exact = add(Decimal(left), Decimal(right)).normalize(_EXACT)
    if exact and (len(exact.as_tuple().digits) > 38 or exact.adjusted() > 125):
        raise invalid(_OVERFLOW)
    return number_text(format(exact, "f"))


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Value | None, Value | None], bool]:
    def holds(left: Value | None, right: Value | None) -> bool:
        if left is None or right is None:
            return False
        [(kind, one)] = left.items()
        if kind not in ORDERED or kind not in right:
            return False
        if kind == "N":
            return compare(number(one), number(right["N"]))
        return compare(one, right[kind])

    return holds


def equal(left: Value | None, right: Value | None) -> bool:
    """Return whether two values are equal; what is not there equals nothing."""
    return left is not None and left == right


def differ(left: Value | None, right: Value | None) -> bool:
    """Return whether two values differ; what is not there differs from everything."""
    return left is None or left != right


# A comparison with what is not there, and an order of two types, do not hold: `<>` alone does. By
# test_update_condition_* in ScyllaDB's test/alternator/test_condition_expression.py.
COMPARISONS: Mapping[str, Callable[[Value | None, Value | None], bool]] = {
    "=": equal,
    "<>": differ,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
}


def sort_place(value: Value) -> Any:
    """Return what places a value of a sort key among others of its type."""
    [(kind, content)] = value.items()
    return number(content) if kind == "N" else content


def is_too_big(item: Item) -> bool:
    """Return whether an item is bigger than DynamoDB stores one."""
    # Python's own form of it is never smaller, and is made at a tenth of the time.
    return len(marshal.dumps(dict(item), 2)) > SIZE and item_size(item) > SIZE


def item_size(item: Item) -> int:
    """Return the size of an item in bytes, about as DynamoDB counts it.

    "Item sizes and formats" in the developer's guide gives the rules, and says of numbers that
    their size is approximate.
    """
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: Value) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode())
    match kind:
        case "N":
            return len(content) // 2 + 2
        case "B":
            return len(content)
        case "M":
            return 3 + item_size(content) + len(content)
        case "L":
            return 3 + sum(1 + _size(part) for part in content)
        case "BOOL" | "NULL":
            return 1
    return sum(_size({kind[0]: member}) for member in content)


def length(value: Value) -> int | None:
    """Return what the function `size` returns: of a string its length, of others their members.

    The length of a string is that of its UTF-16 form, as Java counts it.
    """
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content) if content.isascii() else len(content.encode("utf-16-le")) // 2
    return len(content) if kind in ("B", "M", "L", "SS", "NS", "BS") else None

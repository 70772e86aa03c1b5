"""Changes of DynamoDB's expressions, in the text of the literals that have them.

A clause that is simply gone would leave names and values that no expression uses, and such a
request is refused. So each change goes on using them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PATH = r"#[\w{}]+(?:\.#[\w{}]+)*"
_VALUE = r":[\w{}]+"
_CLAUSE = re.compile(rf"attribute_(?:not_)?exists\({_PATH}\)|{_PATH} (?:=|<>|>=|<=|>|<) {_VALUE}")
_ASSIGNMENT = re.compile(rf"({_PATH}) = (?:{_PATH} [+-] |list_append\({_PATH}, )?({_VALUE})\)?")
_LIST_APPEND = re.compile(rf"list_append\(({_PATH}), ({_VALUE})\)")
_SIGN = re.compile(rf"({_PATH}) ([+-]) ({_VALUE})")
_OTHER = {
    " = ": " <> ",
    " <> ": " = ",
    " >= ": " > ",
    " > ": " >= ",
    " <= ": " < ",
    " < ": " <= ",
    "attribute_exists": "attribute_not_exists",
    "attribute_not_exists": "attribute_exists",
}


def expression_changes(literal: str) -> Iterator[tuple[str, str]]:
    """Yield what is changed in a literal's text, in words, and the text after it."""
    is_update = re.search(r"\b(SET|REMOVE|ADD|DELETE) ", literal) is not None
    # Whether a piece such as f"#{name} = :{name}" is a clause or an assignment, it does not say.
    is_piece = re.fullmatch(rf"f?[\"']{_PATH} = {_VALUE}[\"']", literal) is not None
    if not is_update and "BETWEEN" not in literal:
        for found in _CLAUSE.finditer(literal):
            clause = found.group()
            yield f"`{clause}` always holds", _put(literal, found, f"({clause} OR NOT {clause})")
            other = re.sub(r" (=|<>|>=|<=|>|<) |attribute_(not_)?exists", _another, clause)
            yield f"`{clause}` becomes `{other}`", _put(literal, found, other)
    for found in _ASSIGNMENT.finditer(literal if is_update or is_piece else ""):
        kept = f"{found[1]} = if_not_exists({found[1]}, {found[2]})"
        yield f"`{found.group()}` changes nothing", _put(literal, found, kept)
    for found in _LIST_APPEND.finditer(literal):
        turned = f"list_append({found[2]}, {found[1]})"
        yield f"`{found.group()}` the other way round", _put(literal, found, turned)
    for found in _SIGN.finditer(literal):
        turned = f"{found[1]} {'-' if found[2] == '+' else '+'} {found[3]}"
        yield f"`{found.group()}` becomes `{turned}`", _put(literal, found, turned)


def _another(operator: re.Match[str]) -> str:
    return _OTHER[operator.group()]


def _put(literal: str, found: re.Match[str], new: str) -> str:
    return literal[: found.start()] + new + literal[found.end() :]

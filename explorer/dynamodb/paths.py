"""Places in an item: what is there, what of an item is at some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from explorer.dynamodb.refusals import invalid
from explorer.dynamodb.tree import Path
from explorer.dynamodb.values import Item, Value

# A path whose placeholders are replaced by the names that they stand for.
Place = tuple[str | int, ...]


def resolve(path: Path, names: Mapping[str, str], kind: str) -> Place:
    """Return a path with the names for its placeholders."""
    return tuple(
        _name(part, names, kind) if isinstance(part, str) and part[0] == "#" else part
        for part in path.parts
    )


def _name(placeholder: str, names: Mapping[str, str], kind: str) -> str:
    if placeholder not in names:
        raise invalid(
            f"Invalid {kind}: An expression attribute name used in the document path is not "
            f"defined; attribute name: {placeholder}"
        )
    return names[placeholder]


def check_apart(places: Sequence[Place], kind: str) -> None:
    """Refuse two places of which one contains the other, or that cannot both be."""
    for number, two in enumerate(places):
        for one in places[:number]:
            _check_apart(one, two, kind)


def _check_apart(one: Place, two: Place, kind: str) -> None:
    problem = "overlap"
    for first, second in zip(one, two, strict=False):
        if type(first) is not type(second):
            problem = "conflict"
            break
        if first != second:
            return
    raise invalid(
        f"Invalid {kind}: Two document paths {problem} with each other; must remove or rewrite "
        f"one of these paths; path one: {_shown(one)}, path two: {_shown(two)}"
    )


def _shown(place: Place) -> str:
    return "[" + ", ".join(f"[{p}]" if isinstance(p, int) else p for p in place) + "]"


def at(item: Item, place: Place) -> Value | None:
    """Return the value at a place of an item, None for none."""
    value: Any = item.get(place[0])  # type: ignore[arg-type]
    for part in place[1:]:
        if value is None:
            return None
        if isinstance(part, str):
            value = value["M"].get(part) if "M" in value else None
        else:
            elements = value.get("L", ())
            value = elements[part] if part < len(elements) else None
    return value  # type: ignore[no-any-return]


def project(item: Item, places: Sequence[Place]) -> dict[str, Value]:
    """Return what of an item is at these places, inside the documents that it is in."""
    if all(len(place) == 1 for place in places):
        return {name: item[name] for (name,) in places if name in item}  # type: ignore[index,misc]
    wanted: dict[Any, Any] = {}  # a tree of the places; None is all that is there
    for place in places:
        branch = wanted
        for part in place[:-1]:
            branch = branch.setdefault(part, {})
        branch[place[-1]] = None
    parts = ((name, _part(item.get(name), branch)) for name, branch in wanted.items())
    return {name: part for name, part in parts if part is not None}


def _part(value: Value | None, branch: Mapping[Any, Any] | None) -> Value | None:
    if value is None or branch is None:
        return value
    if "M" in value:
        parts = {name: _part(value["M"].get(name), rest) for name, rest in branch.items()}
        found = {name: part for name, part in parts.items() if part is not None}
        return {"M": found} if found else None
    if "L" in value:
        elements = value["L"]
        listed = [
            _part(elements[place], branch[place])
            for place in sorted(part for part in branch if isinstance(part, int))
            if place < len(elements)
        ]
        kept = [part for part in listed if part is not None]
        return {"L": kept} if kept else None
    return None

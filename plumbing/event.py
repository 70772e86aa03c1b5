"""An event in code and on the wire: the fields that a service declares, and those it carries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

Detail = Mapping[str, Any]


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What every event is based on; a service declares the fields that it uses.

    carried: the detail of the consumed event as it was delivered, all of it: also the fields that
        the service does not declare. Empty in an event that follows on no other. A field of this
        very name on the wire is carried like any other, and cannot be declared.
    """

    carried: dict[str, Any] = {}


def detail_of(event: Event) -> dict[str, Any]:
    """Return the detail to publish: everything that was consumed, and what the event adds.

    A field that was not consumed and has its default stays absent: absent is not null.
    """
    declared = msgspec.to_builtins(event)  # without the fields that have their default
    carried = declared.pop("carried", {})
    names = dict(zip(event.__struct_encode_fields__, event.__struct_fields__, strict=True))
    reset = {
        name: msgspec.to_builtins(getattr(event, names[name]))
        for name in carried.keys() & names.keys() - declared.keys() - {"carried"}
    }
    return {**carried, **reset, **declared}


def digest_of(detail: Detail) -> str:
    """Return the SHA-256, in hexadecimal, of a detail as canonical JSON.

    That is JSON in UTF-8 with sorted keys and no insignificant space, so the order and the form in
    which a bus delivers it do not matter.
    """
    return hashlib.sha256(msgspec.json.encode(detail, order="sorted")).hexdigest()


def differing_fields(one: Detail, other: Detail) -> list[str]:
    """Return the names of the fields in which two details differ; absent differs from null."""

    def differs(name: str) -> bool:
        return digest_of(_only(name, one)) != digest_of(_only(name, other))

    return [name for name in sorted(one.keys() | other.keys()) if differs(name)]


def _only(name: str, detail: Detail) -> Detail:
    return {name: detail[name]} if name in detail else {}

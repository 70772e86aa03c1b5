"""An event on the wire: what it carries, its digest, and how it is compared."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from plumbing.envelope import decode
from plumbing.event import Event, detail_of, differing_fields, digest_of
from plumbing.outbox import EventMismatchError, OutboxEvent

whole = some.integers(-(2**53), 2**53)
# Text that is not Unicode, such as half of a pair of surrogates, is on no wire.
text = some.text(some.characters(codec="utf-8"))
values = some.recursive(
    some.none() | some.booleans() | whole | text,
    lambda parts: some.lists(parts, max_size=3) | some.dictionaries(text, parts, max_size=3),
    max_leaves=8,
)
details = some.dictionaries(text, values, max_size=5)


class Packed(Event, frozen=True, kw_only=True):
    """Consumed."""

    parcel_id: str
    ribbon_colour: str = ""
    hazard: str | None = None


class Shipped(Packed, frozen=True, kw_only=True):
    """Published."""

    grams: int


def _consumed(**detail: Any) -> Packed:
    return decode({"detail-type": "Packed", "detail": detail}, Packed)


def _shipped(consumed: Packed, **changes: Any) -> dict[str, Any]:
    fields = msgspec.structs.asdict(consumed) | changes
    return detail_of(Shipped(**fields, grams=5))


def test_an_event_has_all_that_was_consumed_and_what_it_adds() -> None:
    consumed = _consumed(parcelId="P-1", colour={"hue": 7}, carried="by hand", none=None)

    assert list(_shipped(consumed).items()) == [
        ("parcelId", "P-1"),
        ("colour", {"hue": 7}),
        ("carried", "by hand"),
        ("none", None),
        ("grams", 5),
    ]


@pytest.mark.parametrize(
    "given", [{}, {"ribbonColour": ""}, {"ribbonColour": "hi"}, {"hazard": None}]
)
def test_what_is_absent_stays_absent_and_what_is_empty_or_null_stays_so(
    given: dict[str, Any],
) -> None:
    consumed = _consumed(parcelId="P-1", **given)

    assert _shipped(consumed) == {"parcelId": "P-1", **given, "grams": 5}


def test_a_field_that_a_decision_changes_is_published_as_changed_also_to_its_default() -> None:
    consumed = _consumed(parcelId="P-1", ribbonColour="hi", hazard="acid")

    changed = _shipped(consumed, ribbon_colour="", hazard="none")

    assert changed == {"parcelId": "P-1", "ribbonColour": "", "hazard": "none", "grams": 5}


@given(details)
def test_a_digest_does_not_depend_on_the_form_in_which_a_bus_delivers(detail: Any) -> None:
    backwards = dict(reversed(list(detail.items())))
    delivered = json.loads(json.dumps(backwards, indent=2, ensure_ascii=True))

    assert digest_of(delivered) == digest_of(detail)
    assert differing_fields(delivered, detail) == []


@given(details, details)
def test_two_details_have_one_digest_only_if_no_field_differs(one: Any, other: Any) -> None:
    assert (digest_of(one) == digest_of(other)) == (differing_fields(one, other) == [])


@pytest.mark.parametrize(
    ("delivered", "named"),
    [
        ({"a": 1}, "b"),
        ({"a": 1, "b": "x"}, "b"),
        ({"a": True, "b": None}, "a"),
        ({"a": 1, "b": None, "c": None}, "c"),
        ({"a": "1"}, "a, b"),
    ],
)
@pytest.mark.parametrize("digest", ["stored", "of a release without"])
def test_what_differs_from_the_stored_event_is_named(
    delivered: dict[str, Any], named: str, digest: str
) -> None:
    stored = {"a": 1, "b": None}
    outbox = OutboxEvent(
        "any", "Any", json.dumps(stored), digest_of(stored) if digest == "stored" else ""
    )
    outbox.require({"b": None, "a": 1})

    with pytest.raises(EventMismatchError, match=f"stored in {named}$"):
        outbox.require(delivered)


def test_an_event_is_compared_by_its_digest_where_there_is_one() -> None:
    torn = OutboxEvent("any", "Any", '{"a":1}', digest_of({"a": 2}))

    torn.require({"a": 2})
    with pytest.raises(EventMismatchError):
        torn.require({"a": 1})

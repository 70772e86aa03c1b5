"""The picture of the flow: all is there, and nothing lies on anything else, also when it grows."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from msgspec import Struct

from charge_payment.events import PaymentFailed
from create_order.events import OrderCreated
from harness.flow.flow import Flow
from harness.flow.layout import (
    HEIGHT,
    LABEL,
    NAME,
    SMALL,
    STATUS,
    WIDE,
    WIDER,
    WIDEST,
    WORDS,
    Layout,
    lay_out,
    width_of,
)
from harness.flow.read import Found, read
from harness.flow.svg import draw
from notify_shipping.events import ShippingScheduled
from reserve_inventory.events import InventoryFailed, InventoryReserved
from tests.flow.changes import declared

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {
    "name": (NAME, WIDER),
    "words": (WORDS, WIDE),
    "label": (LABEL, WIDE),
    "code": (STATUS, WIDEST),
    "note": (SMALL, WIDE),
    "count": (SMALL, WIDEST),
}

# Left, top, right, bottom.
Area = tuple[float, float, float, float]


class InventoryUnknown(Struct, frozen=True, kw_only=True):
    """Another failure of a service that has one already."""

    status: ClassVar[str] = "INVENTORY_UNKNOWN"


class CustomerTold(Struct, frozen=True, kw_only=True):
    """What a sixth service says."""

    status: ClassVar[str] = "CUSTOMER_TOLD"


GROWN: dict[str, dict[str, dict[str, Any]]] = {
    "as it is": {},
    "without a pivot": {"charge_payment": {"pivot": None}},
    "another step": {
        "notify_shipping": {"ends": ()},
        "tell_customer": {
            "hears": ShippingScheduled,
            "says": (CustomerTold,),
            "ends": (CustomerTold.status,),
        },
    },
    "an end that somebody hears": {"tell_customer": {"hears": ShippingScheduled}},
    "another failure": {
        "reserve_inventory": {
            "says": (InventoryReserved, InventoryFailed, InventoryUnknown),
            "failures": (InventoryFailed, InventoryUnknown),
            "ends": (InventoryFailed.status, InventoryUnknown.status),
        }
    },
    "two ends of one status": {"release_inventory": {"ends": (InventoryFailed.status,)}},
    "an event that two hear": {"audit_orders": {"hears": OrderCreated}},
    "a failure that two hear": {"apologize_to_customer": {"hears": PaymentFailed}},
    "a failure at once": {
        "create_order": {
            "says": (OrderCreated, InventoryUnknown),
            "failures": (InventoryUnknown,),
            "ends": (InventoryUnknown.status,),
        }
    },
    "all of it": {
        "tell_customer": {"hears": ShippingScheduled},
        "apologize_to_customer": {"hears": PaymentFailed},
        "reserve_inventory": {
            "says": (InventoryReserved, InventoryFailed, InventoryUnknown),
            "failures": (InventoryFailed, InventoryUnknown),
            "ends": (InventoryFailed.status, InventoryUnknown.status),
        },
    },
}


@pytest.fixture(params=GROWN)
def grown(request: pytest.FixtureRequest, found: Found) -> Flow:
    for service, changes in GROWN[request.param].items():
        found = declared(found, service, **changes)
    return read(found)


def test_every_service_event_and_status_is_drawn_with_room_to_count(grown: Flow) -> None:
    picture = ET.fromstring(draw(grown))

    named = {
        kind: {one.get(f"data-{kind}") for one in picture.iter() if one.get(f"data-{kind}")}
        for kind in ("service", "event", "status")
    }
    counts = {one.get("data-count"): one.text for one in picture.iter() if one.get("data-count")}

    assert named == {
        "service": {service.name for service in grown.services},
        "event": {event.name for event in grown.events},
        "status": {status.name for status in grown.statuses},
    }
    assert counts == {
        **{f"event:{event.name}": None for event in grown.events},
        **{f"status:{status.name}": None for status in grown.statuses},
    }


def test_every_service_event_and_status_has_its_name_beside_it(grown: Flow) -> None:
    texts = {text.text for text in ET.fromstring(draw(grown)).iter(f"{SVG}text")}

    names = {
        *(service.name for service in grown.services),
        *(event.name for event in grown.events),
        *(status.name for status in grown.statuses),
    }
    ends = [status.name.lower().replace("_", " ") for status in grown.statuses if status.end]
    assert names | set(ends) <= texts


def test_every_service_and_end_is_a_box(grown: Flow) -> None:
    boxes = [*ET.fromstring(draw(grown)).iter(f"{SVG}rect")]

    ends = [status for status in grown.statuses if status.end]
    silent = [one for one in grown.transitions if one.says is None and one.to == "INVENTORY_FAILED"]
    assert len(boxes) == 1 + len(grown.services) + len(ends) + len(silent)


def test_every_event_leads_from_who_says_it_to_who_hears_it_and_to_its_end(grown: Flow) -> None:
    picture = ET.fromstring(draw(grown))

    drawn = {
        (arrow.get("data-event"), arrow.get("data-from"), arrow.get("data-to"))
        for arrow in picture.iter(f"{SVG}g")
        if arrow.get("data-from") and arrow.get("data-event")
    }

    heard = {(e.name, e.said_by, hearer) for e in grown.events for hearer in e.heard_by}
    ended = {(e.name, e.said_by, e.status) for e in grown.events if e.end}
    assert drawn == heard | ended


def test_the_way_without_a_failure_is_one_straight_line(grown: Flow) -> None:
    layout = lay_out(grown)

    line = [box for box in layout.boxes if box.y == layout.boxes[0].y]
    failures = [arrow for arrow in layout.arrows if arrow.event and arrow.event.failure]

    assert [box.name for box in line][:4] == [
        "create_order",
        "reserve_inventory",
        "charge_payment",
        "notify_shipping",
    ]
    assert [arrow for arrow in failures if arrow.end.y <= arrow.start.y] == []


def test_arrows_begin_and_end_at_boxes(grown: Flow) -> None:
    groups = [one for one in ET.fromstring(draw(grown)).iter(f"{SVG}g") if one.get("data-from")]
    arrows = lay_out(grown).arrows

    for group, arrow in zip(groups, arrows, strict=True):
        begin, tip = (_point(path) for path in group.iter(f"{SVG}path"))
        start, end = arrow.start, arrow.end
        leaves_below = begin[1] == start.bottom and start.left < begin[0] < start.right
        assert leaves_below or begin == (start.right, start.y)
        assert tip in ((end.left, end.y), (end.x, end.top))


def test_nothing_lies_on_anything_else_or_beyond_the_edge(grown: Flow) -> None:
    layout = lay_out(grown)
    boxes: dict[str, Area] = {
        f"{box.name} {at}": (box.left, box.top, box.right, box.bottom)
        for at, box in enumerate(layout.boxes)
    }

    texts = dict(_texts(draw(grown)))

    things = [*boxes.items(), *texts.items()]
    inside = (0, 0, layout.width, layout.height)
    assert [name for name, area in things if not _is_within(area, inside)] == []
    assert [
        (one, other)
        for (one, area), (other, another) in itertools.combinations(things, 2)
        if _overlap(area, another) and not _is_within(another, area)
    ] == []


def test_no_line_runs_through_a_box(grown: Flow) -> None:
    layout = lay_out(grown)

    assert list(_struck(layout)) == []


def test_the_picture_is_told_in_words_too(flow: Flow) -> None:
    picture = ET.fromstring(draw(flow))

    title, description = picture.findtext(f"{SVG}title"), picture.findtext(f"{SVG}desc")

    assert picture.get("role") == "img"
    assert title == "The saga: 5 services, 6 events, from its first to its ends"
    assert description == (
        "create_order answers POST /orders and says OrderCreated: CREATED. "
        "reserve_inventory hears OrderCreated and says InventoryReserved: INVENTORY_RESERVED. "
        "reserve_inventory hears OrderCreated and says the failure InventoryFailed: "
        "INVENTORY_FAILED, an end. "
        "charge_payment hears InventoryReserved and says the pivot PaymentCharged: "
        "PAYMENT_CHARGED. "
        "charge_payment hears InventoryReserved and says the failure PaymentFailed: "
        "PAYMENT_FAILED. "
        "notify_shipping hears PaymentCharged and says ShippingScheduled: "
        "SHIPPING_SCHEDULED, an end. "
        "release_inventory hears PaymentFailed, undoes INVENTORY_RESERVED and says nothing: "
        "INVENTORY_RELEASED, an end. "
        "After PaymentCharged it only goes forward. "
        "resume_orders, beside the flow, says again what was said."
    )


def test_the_picture_keeps_its_style_to_itself(flow: Flow) -> None:
    [style] = ET.fromstring(draw(flow)).iter(f"{SVG}style")

    rules = re.sub(r"\{[^{}]*\}", "", (style.text or "").replace("@media", "\n@media"))
    selectors = re.findall(r"[^{}\n,][^{}\n]*", re.sub(r"@media.*", "", rules))

    assert len(selectors) > 20
    assert [one for one in selectors if ".saga-flow" not in one] == []


def _texts(svg: str) -> Iterator[tuple[str, Area]]:
    """Yield each text, or what it counts, and the area that it may take up at most."""
    for number, text in enumerate(ET.fromstring(svg).iter(f"{SVG}text")):
        kind, _, anchor = text.get("class", "").partition(" ")
        size, factor = SIZES[kind]
        written = text.text or "88888"
        width = width_of(written, size, factor)
        x, y = int(text.get("x", "")), int(text.get("y", ""))
        left = {"": x - width / 2, "beside": x, "before": x - width}[anchor]
        named = text.get("data-count") or written
        yield f"{named} {number}", (left, y - 0.8 * size, left + width, y + 0.2 * size)


def _point(path: ET.Element) -> tuple[int, int]:
    """Answer where a path begins."""
    x, y, *_ = re.findall(r"-?\d+", path.get("d", ""))
    return int(x), int(y)


def _struck(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield each line down that a box stands in the way of."""
    for arrow in layout.arrows:
        for box in layout.boxes:
            between = arrow.start.bottom < box.y < arrow.end.y - HEIGHT
            if between and box.left <= arrow.x <= box.right:
                yield f"{arrow.start.name} to {arrow.end.name}", box.name


def _overlap(one: Area, other: Area) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


def _is_within(one: Area, other: Area) -> bool:
    return one[0] >= other[0] and one[1] >= other[1] and one[2] <= other[2] and one[3] <= other[3]

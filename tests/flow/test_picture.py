"""The picture of the flow: all is there, and nothing overlaps, also when the saga grows."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

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
from plumbing.event import Event
from plumbing.participant import Step
from tests.flow.changes import declared
from tests.flow.example import (
    InventoryFailed,
    InventoryReserved,
    OrderCreated,
    PaymentCharged,
    PaymentFailed,
    ShippingScheduled,
)

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


class InventoryUnknown(Event, frozen=True, kw_only=True):
    """Another failure of a service that has one already."""

    status: ClassVar[str] = "INVENTORY_UNKNOWN"


class CustomerNotified(Event, frozen=True, kw_only=True):
    """What a sixth service publishes."""

    status: ClassVar[str] = "CUSTOMER_NOTIFIED"


FAILURES = (
    Step(InventoryReserved),
    Step(InventoryFailed, failure=True, final=True),
    Step(InventoryUnknown, failure=True, final=True),
)
GROWN: dict[str, dict[str, dict[str, Any]]] = {
    "as it is": {},
    "without a pivot": {
        "charge_payment": {"steps": (Step(PaymentCharged), Step(PaymentFailed, failure=True))}
    },
    "another step": {
        "notify_shipping": {"steps": (Step(ShippingScheduled),)},
        "notify_customer": {
            "consumes": ShippingScheduled,
            "steps": (Step(CustomerNotified, final=True),),
        },
    },
    "a final event with a consumer": {"notify_customer": {"consumes": ShippingScheduled}},
    "another failure": {"reserve_inventory": {"steps": FAILURES}},
    "two steps to one final status": {
        "release_inventory": {"steps": (Step(status=InventoryFailed.status, final=True),)}
    },
    "an event with two consumers": {"audit_orders": {"consumes": OrderCreated}},
    "a failure with two consumers": {"apologize_to_customer": {"consumes": PaymentFailed}},
    "a failure at once": {
        "create_order": {
            "steps": (Step(OrderCreated), Step(InventoryUnknown, failure=True, final=True))
        }
    },
    "all of it": {
        "notify_customer": {"consumes": ShippingScheduled},
        "apologize_to_customer": {"consumes": PaymentFailed},
        "reserve_inventory": {"steps": FAILURES},
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
    ends = [status.name.lower().replace("_", " ") for status in grown.statuses if status.final]
    assert names | set(ends) <= texts


def test_every_service_and_end_is_a_box(grown: Flow) -> None:
    boxes = [*ET.fromstring(draw(grown)).iter(f"{SVG}rect")]

    ends = [status for status in grown.statuses if status.final]
    silent = [
        one for one in grown.transitions if one.publishes is None and one.to == "INVENTORY_FAILED"
    ]
    assert len(boxes) == 1 + len(grown.services) + len(ends) + len(silent)


def test_every_event_leads_from_its_producer_to_its_consumers_and_to_its_final_status(
    grown: Flow,
) -> None:
    picture = ET.fromstring(draw(grown))

    drawn = {
        (arrow.get("data-event"), arrow.get("data-from"), arrow.get("data-to"))
        for arrow in picture.iter(f"{SVG}g")
        if arrow.get("data-from") and arrow.get("data-event")
    }

    consumed = {(e.name, e.producer, one) for e in grown.events for one in e.consumers}
    ended = {(e.name, e.producer, e.status) for e in grown.events if e.final}
    assert drawn == consumed | ended


def test_the_path_without_a_failure_is_one_straight_line(grown: Flow) -> None:
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


def test_the_picture_has_a_description_in_words(flow: Flow) -> None:
    picture = ET.fromstring(draw(flow))

    title, description = picture.findtext(f"{SVG}title"), picture.findtext(f"{SVG}desc")

    assert picture.get("role") == "img"
    assert title == "The saga: 5 services, 6 events, and its final statuses"
    assert description == (
        "create_order serves POST /orders and publishes OrderCreated: CREATED. "
        "reserve_inventory consumes OrderCreated and publishes InventoryReserved: "
        "INVENTORY_RESERVED. "
        "reserve_inventory consumes OrderCreated and publishes the failure InventoryFailed: "
        "INVENTORY_FAILED, final. "
        "charge_payment consumes InventoryReserved and publishes the pivot PaymentCharged: "
        "PAYMENT_CHARGED. "
        "charge_payment consumes InventoryReserved and publishes the failure PaymentFailed: "
        "PAYMENT_FAILED. "
        "notify_shipping consumes PaymentCharged and publishes ShippingScheduled: "
        "SHIPPING_SCHEDULED, final. "
        "release_inventory consumes PaymentFailed, compensates INVENTORY_RESERVED and publishes "
        "nothing: INVENTORY_RELEASED, final. "
        "After PaymentCharged it only goes forward. "
        "resume_orders, beside the flow, re-publishes stored events."
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
    """Return where a path begins."""
    x, y, *_ = re.findall(r"-?\d+", path.get("d", ""))
    return int(x), int(y)


def _struck(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield each line down that a box blocks."""
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

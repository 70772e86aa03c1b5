"""The flow as a picture: SVG with text as text, legible on light and on dark."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from harness.flow.flow import Flow
from harness.flow.layout import (
    GAP,
    HEIGHT,
    LABEL,
    MARGIN,
    NAME,
    ROW,
    SMALL,
    STATUS,
    WIDEST,
    WORDS,
    Arrow,
    Box,
    Layout,
    lay_out,
    width_of,
    words,
)

HEAD = 9  # the length of an arrow's head, whose path from its tip is one of these
HEADS = {
    "right": f"l-{HEAD} -5v10z",
    "left": f"l{HEAD} -5v10z",
    "down": f"l-5 -{HEAD}h10z",
    "up": f"l-5 {HEAD}h10z",
}
CORNER = 10  # the radius where a line turns
MARK = 8  # half the width of the mark at the pivot, from whose top this is the path
MARK_PATH = f"l{MARK} {MARK}l-{MARK} {MARK}l-{MARK} -{MARK}z"

# Everything is named under .saga-flow, so that a page that has this picture in it keeps its own.
STYLE = f"""
.saga-flow {{
  --paper: #ffffff; --ink: #1f2328; --quiet: #59636e; --line: #59636e; --box: #f6f8fa;
  --rim: #c8d1da; --good: #1a7f37; --good-box: #dafbe1; --bad: #bc4c00; --bad-box: #fff1e5;
  --undo: #8250df; --undo-box: #fbefff; --pivot: #0969da; --count: #0969da;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}}
@media (prefers-color-scheme: dark) {{
  .saga-flow {{
    --paper: #0d1117; --ink: #f0f6fc; --quiet: #9198a1; --line: #9198a1; --box: #151b23;
    --rim: #3d444d; --good: #3fb950; --good-box: #12261e; --bad: #f0883e; --bad-box: #2b1d12;
    --undo: #ab7df8; --undo-box: #231b33; --pivot: #4493f8; --count: #79c0ff;
  }}
}}
.saga-flow text {{ fill: var(--ink); text-anchor: middle; }}
.saga-flow .paper {{ fill: var(--paper); }}
.saga-flow rect.box {{ fill: var(--box); stroke: var(--rim); stroke-width: 1.5; }}
.saga-flow .line {{ fill: none; stroke: var(--line); stroke-width: 2; }}
.saga-flow .head {{ fill: var(--line); }}
.saga-flow .name {{ font-size: {NAME}px; font-weight: 600; }}
.saga-flow .label {{ font-size: {LABEL}px; }}
.saga-flow :is(.label, .code, .note, .count) {{ paint-order: stroke; stroke: var(--paper);
  stroke-width: 4px; stroke-linejoin: round; }}
.saga-flow .words {{ font-size: {WORDS}px; font-weight: 500; }}
.saga-flow .code {{ font-size: {STATUS}px; fill: var(--quiet); letter-spacing: .02em; }}
.saga-flow .note {{ font-size: {SMALL}px; fill: var(--quiet); }}
.saga-flow .count {{ font-size: {SMALL}px; font-weight: 700; fill: var(--count); }}
.saga-flow .beside {{ text-anchor: start; }}
.saga-flow .before {{ text-anchor: end; }}
.saga-flow .forward .line {{ stroke: var(--good); stroke-width: 3.5; }}
.saga-flow .forward .head, .saga-flow .forward .note {{ fill: var(--good); }}
.saga-flow .failure .line {{ stroke: var(--bad); stroke-dasharray: 6 4; }}
.saga-flow .failure .head {{ fill: var(--bad); }}
.saga-flow .final rect.box {{ fill: var(--good-box); stroke: var(--good); }}
.saga-flow .final.sad rect.box {{ fill: var(--bad-box); stroke: var(--bad); }}
.saga-flow .compensates rect.box {{ fill: var(--undo-box); stroke: var(--undo); }}
.saga-flow .undo .line {{ stroke: var(--undo); stroke-width: 1.5; stroke-dasharray: 1.5 4;
  stroke-linecap: round; }}
.saga-flow .undo .head {{ fill: var(--undo); }}
.saga-flow .undo .note, .saga-flow .compensates .note {{ fill: var(--undo); }}
.saga-flow .aside rect.box {{ fill: none; stroke-dasharray: 4 4; }}
.saga-flow .pivot .mark {{ fill: var(--pivot); stroke: var(--paper); stroke-width: 1; }}
.saga-flow .pivot .note {{ fill: var(--pivot); font-weight: 600; }}
""".strip()


def draw(flow: Flow) -> str:
    """Draw the flow."""
    layout = lay_out(flow)
    sad = _sad(layout)
    size = f'width="{layout.width}" height="{layout.height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="saga-flow" role="img" {size} '
        f'viewBox="0 0 {layout.width} {layout.height}" '
        'aria-labelledby="saga-flow-title saga-flow-desc">',
        f'<title id="saga-flow-title">{escape(title(flow))}</title>',
        f'<desc id="saga-flow-desc">{escape(describe(flow))}</desc>',
        f"<style>\n{STYLE}\n</style>",
        f'<rect class="paper" {size} rx="12"/>',
        *_compensations(layout),
        *(line for arrow in layout.arrows for line in _arrow(arrow, flow)),
        *(line for box in layout.boxes for line in _box(box, box in sad)),
        *_pivots(layout),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def title(flow: Flow) -> str:
    """Return what the picture shows, in a few words."""
    steps = sum(not service.republishes for service in flow.services)
    return f"The saga: {steps} services, {len(flow.events)} events, and its final statuses"


def describe(flow: Flow) -> str:
    """Describe in sentences what the picture shows."""
    ends = {status.name for status in flow.statuses if status.final}
    sentences = []
    for one in flow.transitions:
        service, event = flow.service(one.service), flow.event(one.publishes)
        consumes = (
            f"consumes {one.consumes}"
            if one.consumes
            else f"serves {' or '.join(service.calls[:1])}"
        )
        reverses = f", compensates {service.compensates}" if service.compensates else ""
        kind = "the failure " if event and event.failure else ""
        kind = "the pivot " if event and event.pivot else kind
        end = ", final" if one.to in ends else ""
        sentences.append(
            f"{one.service} {consumes}{reverses} and publishes {kind}{one.publishes or 'nothing'}: "
            f"{one.to}{end}."
        )
    pivots = (event.name for event in flow.events if event.pivot)
    sentences += [f"After {name} it only goes forward." for name in pivots]
    asides = (service.name for service in flow.services if service.republishes)
    sentences += [f"{name}, beside the flow, re-publishes stored events." for name in asides]
    return " ".join(sentences)


def _arrow(arrow: Arrow, flow: Flow) -> Iterator[str]:
    """Draw an arrow with its event above it and its status below, and room to count both."""
    event, start, end, x, y = arrow.event, arrow.start, arrow.end, arrow.label_x, arrow.label_y
    kind = "event" if event else "silent"
    kind += " failure" if event and event.failure else ""
    kind += " forward" if _is_after_pivot(flow, event.status if event else end.name) else ""
    named = f" data-event={quoteattr(event.name)}" if event else ""
    ends = f"data-from={quoteattr(start.name)} data-to={quoteattr(end.name)}"
    yield f'<g class="{kind}"{named} {ends}>'
    if arrow.down:
        # Its label stands in the line, which is open there; what is counted is beside the label.
        room, apart = (22, 9) if arrow.status else (13, 0) if event else (0, 0)
        yield _line(f"M{x} {start.bottom}V{y - room}M{x} {y + room}V{end.top - HEAD + 1}")
        yield _head(x, end.top, "down")
        above, below = y + 5 - apart, y + 4 + apart
    else:
        turn = f"M{arrow.x} {start.bottom}V{y - CORNER}q0 {CORNER} {CORNER} {CORNER}"
        begin = f"M{start.right} {y}" if start.y == end.y else turn
        yield _line(f"{begin}H{end.left - HEAD + 1}")
        yield _head(end.left, y, "right")
        above, below = end.top - 10, end.bottom + 17
    if event:
        yield _text("label", x, above, event.name)
        beside = width_of(event.name, LABEL) // 2 + 6
        at = (x + beside, above) if arrow.down else (x, y - 7)
        yield _count(f"event:{event.name}", *at, beside=arrow.down)
    yield "</g>"
    if arrow.status:
        yield f'<g class="status" data-status={quoteattr(arrow.status)}>'
        yield _text("code", x, below, arrow.status)
        beside = width_of(arrow.status, STATUS, WIDEST) // 2 + 6
        at = (x + beside, below) if arrow.down else (x, y + 17)
        yield _count(f"status:{arrow.status}", *at, beside=arrow.down)
        yield "</g>"


def _box(box: Box, sad: bool) -> Iterator[str]:
    """Draw a service, or an end with its status in words and as it is stored."""
    if box.service is None:
        yield f'<g class="status final{" sad" if sad else ""}" data-status={quoteattr(box.name)}>'
        yield _rect(box, HEIGHT // 2)
        yield _text("words", box.x, box.y + 5, words(box.name))
        yield _text("code", box.x, box.bottom + 17, box.name)
        yield _count(f"status:{box.name}", box.x, box.bottom + 35)
        yield "</g>"
        return
    service = box.service
    kind = " compensates" if service.compensates else " aside" if service.republishes else ""
    yield f'<g class="service{kind}" data-service={quoteattr(service.name)}>'
    yield _rect(box, 8)
    yield _text("name", box.x, box.y + 5, service.name)
    notes = [f"compensates {service.compensates}"] if service.compensates else []
    notes += [*service.calls, "re-publishes stored events"] if service.republishes else []
    for line, note in enumerate(notes):
        yield _text("note", box.x, box.bottom + 17 + 16 * line, note)
    yield "</g>"
    if service.calls and not service.republishes:
        start = box.left - max(GAP, width_of(service.calls[0], SMALL))
        yield f'<g class="call" data-to={quoteattr(service.name)}>'
        yield f'<circle class="head" cx="{start + 6}" cy="{box.y}" r="6"/>'
        yield _line(f"M{start + 6} {box.y}H{box.left - HEAD + 1}")
        yield _head(box.left, box.y, "right")
        yield _text("note", (start + box.left) // 2, box.y - 12, service.calls[0])
        yield "</g>"


def _pivots(layout: Layout) -> Iterator[str]:
    """Mark until where a saga can be compensated, and from where it only goes forward."""
    for arrow in layout.arrows:
        if arrow.event and arrow.event.pivot and not arrow.down:
            x, y = arrow.start.right + MARK + 1, 44
            left, right = layout.boxes[0].left, layout.width - MARGIN
            yield '<g class="undo">'
            yield _line(f"M{x} {y}H{left + HEAD - 1}")
            yield _head(left, y, "left")
            yield _text("note before", x - 36, y - 9, "until here it can be compensated")
            yield "</g>"
            yield '<g class="forward">'
            yield _line(f"M{x} {y}H{right - HEAD + 1}")
            yield _head(right, y, "right")
            yield _text("note beside", x + 36, y - 9, "from here it only goes forward")
            yield "</g>"
            yield '<g class="pivot">'
            yield _text("note", x, y - 15, "pivot")
            for middle in (y, arrow.start.y):
                yield f'<path class="mark" d="M{x} {middle - MARK}{MARK_PATH}"/>'
            yield "</g>"


def _compensations(layout: Layout) -> Iterator[str]:
    """Draw a line from each compensating service to the status that it compensates."""
    for box in layout.boxes:
        undone = box.service and box.service.compensates
        for arrow in layout.arrows:
            if undone and arrow.status == undone and not arrow.down:
                x, up = box.left - GAP // 3, arrow.end.bottom + 25
                turn, y = f"q-{CORNER} 0 -{CORNER} -{CORNER}", box.y + HEIGHT // 4
                path = f"M{box.left} {y}H{x + CORNER}{turn}"
                if x > arrow.label_x + width_of(undone, STATUS, WIDEST) // 2:
                    # It is not below that status: up, back, and up again.
                    path += f"V{up + ROW // 4}q0 -{CORNER} -{CORNER} -{CORNER}"
                    x = arrow.label_x
                    path += f"H{x + CORNER}{turn}"
                yield '<g class="undo">'
                yield _line(f"{path}V{up + HEAD - 1}")
                yield _head(x, up, "up")
                yield "</g>"


def _is_after_pivot(flow: Flow, status: str) -> bool:
    return any(one.after_pivot for one in flow.statuses if one.name == status)


def _sad(layout: Layout) -> set[Box]:
    """Return the boxes that a saga reaches only after a failure."""
    glad = {box for box in layout.boxes if box.service and not box.service.consumes}
    for arrow in layout.arrows:
        if arrow.start in glad and not (arrow.event and arrow.event.failure):
            glad.add(arrow.end)
    return set(layout.boxes) - glad


def _line(path: str) -> str:
    return f'<path class="line" d="{path}"/>'


def _head(x: int, y: int, way: str) -> str:
    return f'<path class="head" d="M{x} {y}{HEADS[way]}"/>'


def _rect(box: Box, radius: int) -> str:
    size = f'width="{box.right - box.left}" height="{HEIGHT}" rx="{radius}"'
    return f'<rect class="box" x="{box.left}" y="{box.top}" {size}/>'


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'


def _count(what: str, x: int, y: int, *, beside: bool = False) -> str:
    kind = "count beside" if beside else "count"
    return f'<text class="{kind}" data-count={quoteattr(what)} x="{x}" y="{y}"></text>'

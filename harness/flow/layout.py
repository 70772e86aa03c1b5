"""Compute where everything is in the picture: columns by progress, rows by failure.

Computed from the flow alone. Every service consumes one event, so the flow is a tree: its longest
path without a failure lies on one line, and what branches off goes down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from harness.flow.flow import Event, Flow, Service

# All in pixels, before the picture is scaled.
MARGIN = 28
TOP = 126  # the first row's line: above it are labels and the pivot
ROW = 158
HEIGHT = 44  # of a box
GAP = 60  # the least between two boxes: an arrow, and five digits above and below it
BESIDE = 16  # the least between two labels

# How wide text may become: no font is known here, and the widest that people have is this wide.
NAME, WORDS, LABEL, STATUS, SMALL = 15, 15, 15, 12, 13
WIDE, WIDER, WIDEST = 0.6, 0.65, 0.68

Cell = tuple[int, int]  # column and row


class Box(Struct, frozen=True, kw_only=True):
    """A service or a final status, by name, and its middle."""

    name: str
    service: Service | None
    x: int
    y: int
    width: int

    @property
    def left(self) -> int:
        """Its left edge."""
        return self.x - self.width // 2

    @property
    def right(self) -> int:
        """Its right edge."""
        return self.x + self.width // 2

    @property
    def top(self) -> int:
        """Its upper edge."""
        return self.y - HEIGHT // 2

    @property
    def bottom(self) -> int:
        """Its lower edge."""
        return self.y + HEIGHT // 2


class Arrow(Struct, frozen=True, kw_only=True):
    """An arrow from a box to the next, and the middle of its label.

    One that goes neither straight on nor straight down leaves the box at `x` and turns. It has no
    event where a step publishes none. Its status is None where a final status, or another arrow of
    the same event, shows it already.
    """

    event: Event | None
    start: Box
    end: Box
    status: str | None
    x: int
    label_x: int
    label_y: int

    @property
    def down(self) -> bool:
        """Whether it leads straight down."""
        return self.start.x == self.end.x


class Layout(Struct, frozen=True, kw_only=True):
    """The whole picture."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


class _Edge(Struct, frozen=True):
    """From a service to the next, or to a final status, a box of its own: `service/STATUS`."""

    event: Event | None
    start: str
    end: str

    @property
    def status(self) -> str:
        """The status that it leads to."""
        return self.event.status if self.event else _name(self.end)


class _Shape(Struct):
    """A service and all that comes after it, in cells; the cells of lines are taken, too."""

    cells: dict[str, Cell]
    taken: set[Cell]

    def moved(self, column: int, row: int) -> _Shape:
        cells = {key: (c + column, r + row) for key, (c, r) in self.cells.items()}
        return _Shape(cells, {(c + column, r + row) for c, r in self.taken})

    def add(self, other: _Shape, lines: Iterable[Cell] = ()) -> None:
        self.cells |= other.cells
        self.taken |= other.taken | set(lines)


def lay_out(flow: Flow) -> Layout:
    """Give everything its place."""
    edges = tuple(_ways(flow))
    whole = _Shape({}, set())
    entries = [s for s in flow.services if s.declared and not s.consumes and not s.republishes]
    for service in entries:
        below = max((row + 1 for _, row in whole.taken), default=0)
        whole.add(_shape(service.name, edges).moved(0, below))
    for service in flow.services:
        if service.republishes:
            row = next(row for row in range(1, 99) if (0, row) not in whole.taken)
            whole.add(_Shape({service.name: (0, row)}, {(0, row)}))
    return _draw(flow, edges, whole.cells)


def width_of(text: str, size: int, factor: float = WIDE) -> int:
    """Return how wide a text may become."""
    return round(len(text) * size * factor)


def words(status: str) -> str:
    """Write a status in words."""
    return status.lower().replace("_", " ")


def _ways(flow: Flow) -> Iterator[_Edge]:
    for one in flow.transitions:
        event = flow.event(one.publishes)
        if event is None or event.final:
            yield _Edge(event, one.service, f"{one.service}/{one.to}")
        for consumer in event.consumers if event else ():
            yield _Edge(event, one.service, consumer)


def _shape(key: str, edges: tuple[_Edge, ...]) -> _Shape:
    shape = _Shape({key: (0, 0)}, {(0, 0)})
    leaving = [edge for edge in edges if edge.start == key]
    onward = _onward(leaving, edges)
    if onward:
        shape.add(_shape(onward.end, edges).moved(1, 0))
    down = [edge for edge in leaving if edge is not onward]
    for edge in down:
        # All leave by one line down. The last goes straight on, those before it turn right.
        column = 0 if edge is down[-1] else 1
        after = _shape(edge.end, edges)
        row = next(row for row in range(1, 99) if not after.moved(column, row).taken & shape.taken)
        line = [(0, passed) for passed in range(1, row + column)]
        shape.add(after.moved(column, row), line)
    return shape


def _onward(leaving: list[_Edge], edges: tuple[_Edge, ...]) -> _Edge | None:
    """Return the edge that stays on the line: the longest of those without a failure."""
    good = [edge for edge in leaving if not (edge.event and edge.event.failure)]
    return max(good, key=lambda edge: _length(edge.end, edges), default=None)


def _length(key: str, edges: tuple[_Edge, ...]) -> int:
    leaving = [edge for edge in edges if edge.start == key]
    onward = _onward(leaving, edges)
    return 1 + _length(onward.end, edges) if onward else 1


def _draw(flow: Flow, edges: tuple[_Edge, ...], cells: dict[str, Cell]) -> Layout:
    services = {service.name: service for service in flow.services}
    widths = {key: _width(key, services.get(key)) for key in cells}
    columns = 1 + max(column for column, _ in cells.values())
    column_widths = [
        max((widths[key] for key, (column, _) in cells.items() if column == at), default=0)
        for at in range(columns)
    ]
    drawn = [edge for edge in edges if edge.start in cells and edge.end in cells]
    x = MARGIN + max([GAP, *(width_of(call, SMALL) for s in flow.services for call in s.calls[:1])])
    centers: list[int] = []
    for at, width in enumerate(column_widths):
        centers.append(x + width // 2)
        labels = [
            _needs(edge.event, min(column_widths[at : at + 2]), services.get(edge.end))
            for edge in drawn
            if edge.event and (cells[edge.start][0], cells[edge.end][0]) == (at, at + 1)
        ]
        x += width + max([GAP, *labels])
    boxes = {
        key: Box(
            name=_name(key),
            service=services.get(key),
            x=centers[column],
            y=TOP + ROW * row,
            width=widths[key],
        )
        for key, (column, row) in sorted(cells.items(), key=lambda cell: cell[1][::-1])
    }
    return Layout(
        width=max(box.right for box in boxes.values()) + MARGIN,
        height=max(box.bottom for box in boxes.values()) + 56,
        boxes=tuple(boxes.values()),
        arrows=tuple(_arrows(drawn, boxes)),
    )


def _arrows(edges: Iterable[_Edge], boxes: dict[str, Box]) -> Iterator[Arrow]:
    labelled = {box.name for box in boxes.values() if not box.service}
    for edge in edges:
        start, end = boxes[edge.start], boxes[edge.end]
        down = start.x == end.x
        below = [boxes[other.end].y for other in edges if other.start == edge.start]
        deeper = sum(y >= end.y for y in below if y > start.y)
        yield Arrow(
            event=edge.event,
            start=start,
            end=end,
            status=None if edge.status in labelled else edge.status,
            # Those that end higher leave further to the right, so that none crosses another.
            x=start.x if down else start.x + BESIDE * deeper,
            label_x=end.x if down else (start.right + end.left) // 2,
            label_y=end.y - ROW // 2 if down else end.y,
        )
        labelled.add(edge.status)


def _needs(event: Event, narrower: int, end: Service | None) -> int:
    """Return how far apart two boxes have to be for the label of the arrow between them.

    Labels reach over the boxes, halfway at most. Only where a note is below the box, they may not.
    """
    widest = max(width_of(event.name, LABEL), width_of(event.status, STATUS, WIDEST)) + BESIDE
    return widest if end and end.compensates else widest - narrower


def _width(key: str, service: Service | None) -> int:
    if service:
        note = f"undoes {service.compensates}" if service.compensates else ""
        return max(width_of(service.name, NAME, WIDER) + 22, width_of(note, SMALL))
    return width_of(words(_name(key)), WORDS) + HEIGHT // 2


def _name(key: str) -> str:
    return key.rpartition("/")[2]

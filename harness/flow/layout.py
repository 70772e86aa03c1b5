"""Where everything is in the picture: in columns by how far a saga has come, rows by what failed.

Computed from the flow alone. Every service hears one event, so the flow is a tree: its longest way
on without a failure lies on one line, and what branches off goes down.
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
    """A service or an end, and its middle; its name is the service's or the end's status."""

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
    """A way from a box to the next, and the middle of its label.

    One that neither goes straight on nor straight down leaves the box at `x` and turns. It says no
    event where an end is reached in silence. Its status is None where that is told by an end, or
    by another arrow of the same event.
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


class _Way(Struct, frozen=True):
    """From a service to the next, or to an end, which is one of its own: `service/STATUS`."""

    event: Event | None
    start: str
    end: str

    @property
    def status(self) -> str:
        """Where it leaves the saga."""
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
    ways = tuple(_ways(flow))
    whole = _Shape({}, set())
    entries = [s for s in flow.services if s.declared and not s.hears and not s.repeats]
    for service in entries:
        below = max((row + 1 for _, row in whole.taken), default=0)
        whole.add(_shape(service.name, ways).moved(0, below))
    for service in flow.services:
        if service.repeats:
            row = next(row for row in range(1, 99) if (0, row) not in whole.taken)
            whole.add(_Shape({service.name: (0, row)}, {(0, row)}))
    return _draw(flow, ways, whole.cells)


def width_of(text: str, size: int, factor: float = WIDE) -> int:
    """Answer how wide a text may become."""
    return round(len(text) * size * factor)


def words(status: str) -> str:
    """Write a status in words."""
    return status.lower().replace("_", " ")


def _ways(flow: Flow) -> Iterator[_Way]:
    for one in flow.transitions:
        event = flow.event(one.says)
        if event is None or event.end:
            yield _Way(event, one.service, f"{one.service}/{one.to}")
        for hearer in event.heard_by if event else ():
            yield _Way(event, one.service, hearer)


def _shape(key: str, ways: tuple[_Way, ...]) -> _Shape:
    shape = _Shape({key: (0, 0)}, {(0, 0)})
    leaving = [way for way in ways if way.start == key]
    onward = _onward(leaving, ways)
    if onward:
        shape.add(_shape(onward.end, ways).moved(1, 0))
    down = [way for way in leaving if way is not onward]
    for way in down:
        # All leave by one line down. The last goes straight on, those before it turn right.
        column = 0 if way is down[-1] else 1
        after = _shape(way.end, ways)
        row = next(row for row in range(1, 99) if not after.moved(column, row).taken & shape.taken)
        line = [(0, passed) for passed in range(1, row + column)]
        shape.add(after.moved(column, row), line)
    return shape


def _onward(leaving: list[_Way], ways: tuple[_Way, ...]) -> _Way | None:
    """Answer the way that stays on the line: the longest of those that tell of no failure."""
    good = [way for way in leaving if not (way.event and way.event.failure)]
    return max(good, key=lambda way: _length(way.end, ways), default=None)


def _length(key: str, ways: tuple[_Way, ...]) -> int:
    leaving = [way for way in ways if way.start == key]
    onward = _onward(leaving, ways)
    return 1 + _length(onward.end, ways) if onward else 1


def _draw(flow: Flow, ways: tuple[_Way, ...], cells: dict[str, Cell]) -> Layout:
    services = {service.name: service for service in flow.services}
    widths = {key: _width(key, services.get(key)) for key in cells}
    columns = 1 + max(column for column, _ in cells.values())
    column_widths = [
        max((widths[key] for key, (column, _) in cells.items() if column == at), default=0)
        for at in range(columns)
    ]
    drawn = [way for way in ways if way.start in cells and way.end in cells]
    x = MARGIN + max([GAP, *(width_of(call, SMALL) for s in flow.services for call in s.calls[:1])])
    centers: list[int] = []
    for at, width in enumerate(column_widths):
        centers.append(x + width // 2)
        labels = [
            _needs(way.event, min(column_widths[at : at + 2]), services.get(way.end))
            for way in drawn
            if way.event and (cells[way.start][0], cells[way.end][0]) == (at, at + 1)
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


def _arrows(ways: Iterable[_Way], boxes: dict[str, Box]) -> Iterator[Arrow]:
    told = {box.name for box in boxes.values() if not box.service}
    for way in ways:
        start, end = boxes[way.start], boxes[way.end]
        down = start.x == end.x
        below = [boxes[other.end].y for other in ways if other.start == way.start]
        deeper = sum(y >= end.y for y in below if y > start.y)
        yield Arrow(
            event=way.event,
            start=start,
            end=end,
            status=None if way.status in told else way.status,
            # Those that end higher leave further to the right, so that none crosses another.
            x=start.x if down else start.x + BESIDE * deeper,
            label_x=end.x if down else (start.right + end.left) // 2,
            label_y=end.y - ROW // 2 if down else end.y,
        )
        told.add(way.status)


def _needs(event: Event, narrower: int, end: Service | None) -> int:
    """Answer how far apart two boxes have to be for the label of the arrow between them.

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

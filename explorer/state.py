"""What a state is made of: numbers of interned values, so that equal states are equal and small."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

Value = TypeVar("Value")
Numbers = tuple[int, ...]


class Row(NamedTuple):
    """An item of a table: the text of its key, and its attributes in DynamoDB's form."""

    table: str
    key: str
    item: Any


class Message(NamedTuple):
    """What a function is handed: `kind` is `event`, `request`, `message` or `trigger`.

    text: the bytes on the wire: an event's detail as it was published, a message's body; of equal
        requests which one it is.
    bus: the bus of an event.
    """

    kind: str
    event: Any
    text: str = ""
    bus: str = ""

    @property
    def name(self) -> str:
        """The detail-type of an event."""
        return str(self.event["detail-type"]) if self.kind == "event" else ""


class Delivery(NamedTuple):
    """A message on its way to a function, or in a queue of SQS, and how often it was tried.

    due: the second that it is delivered at the earliest.
    again: whether it is a duplicate, which has ids of its own.
    """

    target: str
    message: int
    tries: int = 0
    due: int = 0
    again: bool = False


class Running(NamedTuple):
    """A handler half-way: what it was handed, the answers that it got, the call that it makes.

    It stays of the release that it began with, whatever is deployed meanwhile; its clock is ahead
    by `skew` seconds.
    """

    deliveries: Numbers
    answers: Numbers
    call: int
    release: int = 0
    skew: int = 0


class Late(NamedTuple):
    """A call without a response: it takes effect later, whatever has become of its handler."""

    function: str
    call: int
    subject: str


class Act(NamedTuple):
    """An entry in a partner's books: what was asked, under which key, and what it answered.

    answer: the place of the answer among those of the call; `effect` is whether it did something.
    times: so many times it was asked the same before, without knowing it.
    """

    partner: str
    key: str | None
    arguments: str
    answer: int
    text: str
    effect: bool
    subject: str
    times: int = 0
    remembered: bool = True


class Outcome(NamedTuple):
    """What became of a request: `done`, `refused` (400 to 499), `raised`; or an `alarm` printed."""

    what: str
    message: int
    subject: str = ""


class State(NamedTuple):
    """Everything, at one point in time; each part is sorted, so that equal states are equal.

    left: how often each thing may still happen, in the order of the machine's names.
    lagging: what those read who do not read consistently, if it lags behind.
    releases: of each changed function 0 as it was, 1 deployed, 2 rolled back.
    wrong: what can only be seen when it happens.
    """

    rows: Numbers
    queue: Numbers
    left: Numbers
    running: Numbers = ()
    failed: Numbers = ()
    late: Numbers = ()
    acts: Numbers = ()
    published: Numbers = ()
    outcomes: Numbers = ()
    seconds: int = 0
    lagging: Numbers | None = None
    releases: Numbers = ()
    wrong: tuple[str, ...] = ()


class Move(NamedTuple):
    """Something that can happen: what, to which part of the state, and how."""

    what: str
    which: Any = None
    how: str = ""


class Interned(Generic[Value]):
    """Values under small numbers, the same value always under the same.

    Parts of a state are sorted by the text of what they are, not by their numbers: so a schedule
    means the same in every process, whatever else has been explored there.
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.texts: list[str] = []
        self._numbers: dict[Hashable, int] = {}

    def __getitem__(self, number: int) -> Value:
        return self.values[number]

    def number(self, value: Value, key: Hashable, text: Callable[[], str]) -> int:
        """Return the number of a value; `key` is what makes it what it is, for this process."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
            self.texts.append(text())
        return number

    def insert(self, numbers: Numbers, number: int) -> Numbers:
        """Return the numbers with one more, in order."""
        return tuple(sorted((*numbers, number), key=self.texts.__getitem__))

    def insert_once(self, numbers: Numbers, number: int) -> Numbers:
        """Return the numbers with this one among them."""
        return numbers if number in numbers else self.insert(numbers, number)


def without(numbers: Numbers, number: int) -> Numbers:
    """Return the numbers without one of those that are equal to this one."""
    place = numbers.index(number)
    return numbers[:place] + numbers[place + 1 :]


def digest(text: str) -> str:
    """Return a short text that stands for a long one."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

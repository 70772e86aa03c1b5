"""The decision: which orders are stalled, when to publish each again, and when to give up."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Protocol, TypeVar

from msgspec import Struct

from plumbing.aws import CALL_ERRORS
from plumbing.budget import has_time
from plumbing.outbox import OutboxEvent
from plumbing.publish import Publish, PublishError
from plumbing.step import SHARDS

Measure = TypeVar("Measure")
# Since when an order is due, and its id.
Due = tuple[datetime, str]

# An order with no step for this long is stalled. Lambda's own second try comes within a minute or
# so, and its third within three.
STALLED_AFTER = timedelta(minutes=4)
# At twice the interval each time that is some 17 hours, in which most outages end.
MAX_RESUMES = 8
# So many orders are looked at in a run, however many there are; so many more are counted.
MAX_PER_RUN = 500
MAX_COUNTED = 500
MAX_FAILURES_TOLD = 10
# No run defers an order for longer: a later time is that of a clock that was ahead.
LONGEST_PAUSE = STALLED_AFTER * 2**MAX_RESUMES
# Tries of calls that have to fit in: to look at one more order, to read one more partition.
TRIES_OF_AN_ORDER, TRIES_OF_THE_REST = 3, 10
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Call(Struct, frozen=True, rename="camel"):
    """What the schedule asks for, or a person: all open orders, as far as one call can go."""

    all_open: bool = False
    started_at: datetime | None = None
    after: str = ""


class OpenOrder(Struct, frozen=True):
    """An order in an index of open orders, which may lag behind, and its place there.

    at: the time by which it is sorted; None for a text that is none.
    """

    order_id: str
    at: datetime | None
    place: str


class StoredOrder(Struct, frozen=True, kw_only=True):
    """An open order as it is stored: when it moved last, until when it is deferred, its resumes.

    `seen` is the text of the time until which it is deferred. It is fresh where it is
    in the partition of orders that no run has looked at since their last step.
    """

    order_id: str
    status: str
    last_step_at: datetime
    next_attempt_at: datetime | None
    seen: str | None
    resumes: int
    outbox: OutboxEvent
    is_fresh: bool
    is_given_up: bool


class UnreadableOrder(Struct, frozen=True):
    """An open order that cannot be read as one."""

    order_id: str
    reason: str


class Orders(Protocol):
    """The open orders as this service reads and writes them, each shard by itself.

    What is read lazily is read page by page, as it is needed.
    """

    def fresh(
        self, shard: str, *, until: datetime | None = None, after: datetime | None = None
    ) -> Iterator[OpenOrder]:
        """Return lazily the fresh orders that were created until or after then, oldest first."""

    def deferred(
        self, shard: str, *, until: datetime | None = None, after: datetime | None = None
    ) -> Iterator[OpenOrder]:
        """Return lazily the orders whose next attempt is until or after then, earliest first."""

    def oldest(self, until: datetime) -> datetime | None:
        """Return when the oldest order in progress was created, if that was until then."""

    def count_given_up(self, limit: int) -> int:
        """Return how many orders were given up, but not more than the limit."""

    def walk(self, after: str) -> Iterator[OpenOrder]:
        """Return lazily all open orders after a place: the fresh, the deferred, the given up.

        Those of a partition come by when they were created. Before all of them is the place "".
        """

    def find(self, order_id: str) -> StoredOrder | UnreadableOrder | None:
        """Return an order as it is stored, or None when it has ended."""

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set the next attempt; return whether the order was still as it was read."""

    def refresh(self, order: StoredOrder, until: datetime) -> bool:
        """Set the next attempt of an order that is fresh from now on, with no resumes."""

    def give_up(self, order: StoredOrder | UnreadableOrder) -> bool:
        """Leave the order to a person; return whether it was still as it was read."""


class Report(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a run found and did, in numbers of orders.

    The oldest order in progress is overdue for so many seconds, and so many orders at least wait
    for a person: absent if that could not be read in time. `gave_up` has the ids of those given up
    in this run. At least so many left orders were due too, and are for the next run. A failed order
    could not be read, written or published; `failures` says why, for the first ones.
    """

    resumed_orders: int
    left_orders: int
    failed_orders: int
    gave_up: list[str]
    failures: list[str]
    oldest_overdue_seconds: int | None = None
    given_up_orders: int | None = None


class Progress(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one call did of a walk through all open orders that began then.

    next: the place to go on after; None at the end.
    """

    resumed_orders: int
    failed_orders: int
    failures: list[str]
    started_at: datetime
    next: str | None


class _Failures:
    """What could not be done: it keeps nothing else from being done."""

    def __init__(self) -> None:
        self.count = 0
        self.told: list[str] = []

    def add(self, what: str, error: object) -> None:
        self.count += 1
        if len(self.told) < MAX_FAILURES_TOLD:
            self.told.append(f"{what}: {error}")

    def of_order(self, order_id: str, resume: Callable[[str], bool]) -> bool:
        """Resume an order; return whether that was done."""
        try:
            return resume(order_id)
        except (*CALL_ERRORS, PublishError, ValueError) as error:
            self.add(order_id, error)
            return False

    def of_partition(self, found: Iterator[Due]) -> Iterator[Due]:
        """Yield what can be read of a partition, if it is begun in time."""
        try:
            if has_time(attempts=TRIES_OF_THE_REST):
                yield from found
            elif not self.count:
                self.add("index", "there was no time to read all of it")
        except CALL_ERRORS as error:
            self.add("index", error)

    def of_measure(self, measure: Callable[[], Measure]) -> Measure | None:
        """Return a measure of all open orders, or None if it cannot be read."""
        try:
            return measure()
        except CALL_ERRORS as error:
            self.add("index", error)
            return None


def resume(call: Call, orders: Orders, publish: Publish, now: datetime) -> Report | Progress:
    """Do what is asked for: look for stalled orders, or go on with a walk through all."""
    if call.all_open:
        return resume_all(orders, publish, now, call.started_at or now, call.after)
    return resume_orders(orders, publish, now)


def resume_orders(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Publish again the last event of each stalled order; give up after MAX_RESUMES.

    Those that are due for longest come first. Each that is looked at leaves the place where runs
    look first, so that every run goes on from where the last one ended.
    """
    failures, gave_up = _Failures(), list[str]()

    def give_up(order: StoredOrder | UnreadableOrder) -> None:
        if orders.give_up(order):
            gave_up.append(order.order_id)

    def resume(order_id: str) -> bool:
        order = orders.find(order_id)
        if isinstance(order, UnreadableOrder):
            give_up(order)
            raise ValueError(order.reason)
        if order is None or order.is_given_up:
            return False
        if not _is_due(order, now):
            if order.is_fresh and order.next_attempt_at:
                orders.defer(order, order.next_attempt_at, order.resumes)
            return False
        if abs(now - order.last_step_at) < STALLED_AFTER:
            orders.defer(order, order.last_step_at + STALLED_AFTER, order.resumes)
            return False
        if order.resumes >= MAX_RESUMES:
            give_up(order)
            return False
        until = now + STALLED_AFTER * 2**order.resumes
        # Deferred first: of two runs at once only one publishes an order, and what a crash left
        # unpublished is due again.
        deferred = orders.defer(order, until, order.resumes + 1)
        if deferred:
            publish(order.outbox)
        return deferred

    due = merge(*map(failures.of_partition, _due(orders, now)))
    resumed = looked_at = left = 0
    while looked_at < MAX_PER_RUN and has_time(attempts=TRIES_OF_AN_ORDER):
        if (order := next(due, None)) is None:
            break
        looked_at += 1
        resumed += failures.of_order(order[1], resume)
    while left < MAX_COUNTED and has_time() and next(due, None):
        left += 1
    oldest = failures.of_measure(lambda: orders.oldest(now - STALLED_AFTER) or now)
    given_up = failures.of_measure(lambda: orders.count_given_up(MAX_COUNTED))
    return Report(
        resumed_orders=resumed,
        left_orders=left,
        failed_orders=failures.count,
        gave_up=gave_up,
        failures=failures.told,
        oldest_overdue_seconds=int((now - oldest).total_seconds()) if oldest else None,
        given_up_orders=given_up,
    )


def resume_all(
    orders: Orders, publish: Publish, now: datetime, started_at: datetime, after: str
) -> Progress:
    """Publish again the last event of open orders, due or not, also of those given up.

    A walk through all that were open when it `started_at` then; this call goes on `after` a place.
    Each becomes a fresh order, and the fresh come first on the walk: none is met twice, unless the
    sweep defers it meanwhile, and that can be seen.
    """
    failures = _Failures()

    def resume(order_id: str) -> bool:
        order = orders.find(order_id)
        if isinstance(order, UnreadableOrder):
            raise ValueError(order.reason)
        if order is None or _was_published_between(started_at, now, order):
            return False
        refreshed = orders.refresh(order, now + STALLED_AFTER)
        if refreshed:
            publish(order.outbox)
        return refreshed

    def report(place: str | None) -> Progress:
        return Progress(
            resumed_orders=resumed,
            failed_orders=failures.count,
            failures=failures.told,
            started_at=started_at,
            next=place,
        )

    met, place = orders.walk(after), after
    resumed = looked_at = 0
    try:
        while looked_at < MAX_PER_RUN and has_time(attempts=TRIES_OF_AN_ORDER):
            if (order := next(met, None)) is None:
                return report(None)
            looked_at, place = looked_at + 1, order.place
            # One from long after now is of a clock that was ahead.
            if order.at is None or not started_at < order.at <= now + STALLED_AFTER:
                resumed += failures.of_order(order.order_id, resume)
    except CALL_ERRORS as error:
        failures.add("index", error)
    return report(place)


def _due(orders: Orders, now: datetime) -> Iterator[Iterator[Due]]:
    """Return what is due in each partition, longest due first.

    How long an order is due whose clock was ahead is not known: it comes before all others.
    """

    def since(found: Iterator[OpenOrder], pause: timedelta) -> Iterator[Due]:
        for order in found:
            yield order.at + pause if order.at else LONG_AGO, order.order_id

    for shard in SHARDS:
        yield since(orders.fresh(shard, until=now - STALLED_AFTER), STALLED_AFTER)
        yield since(orders.deferred(shard, until=now), timedelta(0))
    for shard in SHARDS:
        for ahead in (
            orders.fresh(shard, after=now + STALLED_AFTER),
            orders.deferred(shard, after=now + LONGEST_PAUSE),
        ):
            yield ((LONG_AGO, order.order_id) for order in ahead)


def _is_due(order: StoredOrder, now: datetime) -> bool:
    deferred = order.next_attempt_at
    return deferred is None or not now < deferred <= now + LONGEST_PAUSE


def _was_published_between(start: datetime, end: datetime, order: StoredOrder) -> bool:
    """Return whether a run published the order then, or found it to have moved then."""
    pause = STALLED_AFTER * 2 ** max(0, min(order.resumes, MAX_RESUMES) - 1)
    deferred = order.next_attempt_at
    return deferred is not None and start + pause <= deferred <= end + pause

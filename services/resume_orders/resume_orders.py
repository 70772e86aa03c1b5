"""The decision: which orders are stalled, when to publish each again, and when to give up."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import attrgetter
from typing import Protocol

from msgspec import Struct

from plumbing.aws import CALL_ERRORS
from plumbing.outbox import OutboxEvent
from plumbing.publish import Publish, PublishError

# An order with no step for this long is stalled. Lambda's own second try comes within a minute or
# so, and its third within three.
STALLED_AFTER = timedelta(minutes=4)
# At twice the interval each time that is some 17 hours, in which most outages end.
MAX_RESUMES = 8
MAX_PER_RUN = 500
MAX_FAILURES_TOLD = 10
# No run defers an order for longer: a later time is that of a clock that was ahead.
LONGEST_PAUSE = STALLED_AFTER * 2**MAX_RESUMES


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order in the index of open orders, and when to look at it again, if it was deferred.

    The index may lag behind the order.
    """

    order_id: str
    created_at: datetime
    next_attempt_at: datetime | None


class StoredOrder(Struct, frozen=True, kw_only=True):
    """An open order as it is stored: when it moved last, until when it is deferred, its resumes.

    `seen` is the text of the time until which it is deferred.
    """

    order_id: str
    status: str
    last_step_at: datetime
    next_attempt_at: datetime | None
    seen: str | None
    resumes: int
    outbox: OutboxEvent


class UnreadableOrder(Struct, frozen=True):
    """An open order that cannot be read as one."""

    order_id: str
    reason: str


class Orders(Protocol):
    """The open orders as this service reads and writes them."""

    def open(self, now: datetime, young: timedelta) -> Iterable[OpenOrder]:
        """Return the orders that have not ended, but for those created within `young` of now."""

    def given_up(self, now: datetime) -> Iterable[OpenOrder]:
        """Return the orders that were given up."""

    def find(self, order_id: str) -> StoredOrder | UnreadableOrder | None:
        """Return an order as it is stored, or None when it has ended."""

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set the next attempt; return whether the order was still as it was read."""

    def give_up(self, order: StoredOrder | UnreadableOrder) -> bool:
        """Leave the order to a person; return whether it was still as it was read."""


class Report(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run found and did, in numbers of orders.

    Overdue orders are open for longer than STALLED_AFTER, the oldest of them for so many seconds.
    Given-up orders wait for a person; `gave_up` has the ids of those given up in this run. The left
    orders were due too, and are for the next run. A failed order could not be read, written or
    published; `failures` says why, for the first ones.
    """

    overdue_orders: int
    oldest_overdue_seconds: int
    resumed_orders: int
    given_up_orders: int
    left_orders: int
    failed_orders: int
    gave_up: list[str]
    failures: list[str]


def resume_orders(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Publish again the last event of each stalled order; give up after MAX_RESUMES."""
    gave_up: list[str] = []

    def give_up(order: StoredOrder | UnreadableOrder) -> None:
        if orders.give_up(order):
            gave_up.append(order.order_id)

    def resume(order: StoredOrder | UnreadableOrder) -> bool:
        if isinstance(order, UnreadableOrder):
            give_up(order)
            raise ValueError(order.reason)
        if not _is_stalled(order, now):
            return False
        if order.resumes >= MAX_RESUMES:
            give_up(order)
            return False
        until = now + STALLED_AFTER * 2**order.resumes
        return _defer_and_publish(order, orders, publish, until, order.resumes + 1)

    overdue = list(orders.open(now, STALLED_AFTER))
    due = [order for order in overdue if _is_due(order, now)]
    chosen = nsmallest(MAX_PER_RUN, due, key=attrgetter("created_at"))
    return _each(orders, now, resume, overdue, chosen, len(due) - len(chosen), gave_up)


def resume_all(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Publish again the last event of every open order, due or not, also of those given up."""

    def resume(order: StoredOrder | UnreadableOrder) -> bool:
        if isinstance(order, UnreadableOrder):
            raise ValueError(order.reason)
        return _defer_and_publish(order, orders, publish, now + STALLED_AFTER, 0)

    found = [*orders.open(now, timedelta(0)), *orders.given_up(now)]
    chosen = nsmallest(MAX_PER_RUN, found, key=lambda one: one.next_attempt_at or one.created_at)
    return _each(orders, now, resume, found, chosen, len(found) - len(chosen), [])


def _each(
    orders: Orders,
    now: datetime,
    resume: Callable[[StoredOrder | UnreadableOrder], bool],
    overdue: list[OpenOrder],
    chosen: list[OpenOrder],
    left: int,
    gave_up: list[str],
) -> Report:
    """Resume each by itself, whatever another does, as it is stored now; report on all."""
    resumed, failures = 0, []
    for order in chosen:
        try:
            stored = orders.find(order.order_id)
            resumed += stored is not None and resume(stored)
        except (*CALL_ERRORS, PublishError, ValueError) as error:
            failures.append(f"{order.order_id}: {error}")
    return Report(
        overdue_orders=len(overdue),
        oldest_overdue_seconds=_oldest(overdue, now),
        resumed_orders=resumed,
        given_up_orders=len(list(orders.given_up(now))),
        left_orders=left,
        failed_orders=len(failures),
        gave_up=gave_up,
        failures=failures[:MAX_FAILURES_TOLD],
    )


def _is_due(order: OpenOrder | StoredOrder, now: datetime) -> bool:
    deferred = order.next_attempt_at
    return deferred is None or not now < deferred <= now + LONGEST_PAUSE


def _is_stalled(order: StoredOrder, now: datetime) -> bool:
    """Return whether the order is due by itself, and its last step long ago.

    A step in the future is that of a clock that was ahead: how long ago it was is not known.
    """
    return _is_due(order, now) and abs(now - order.last_step_at) >= STALLED_AFTER


def _defer_and_publish(
    order: StoredOrder, orders: Orders, publish: Publish, until: datetime, resumes: int
) -> bool:
    # Deferred first: of two runs at once only one publishes an order, and what a crash left
    # unpublished is due again.
    deferred = orders.defer(order, until, resumes)
    if deferred:
        publish(order.outbox)
    return deferred


def _oldest(orders: Iterable[OpenOrder], now: datetime) -> int:
    ages = (int((now - order.created_at).total_seconds()) for order in orders)
    return max((0, *ages))

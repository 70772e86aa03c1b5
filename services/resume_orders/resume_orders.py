"""The decision: which orders are stalled, when to publish each again, and when to give up."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import attrgetter
from typing import Protocol

from msgspec import Struct

from plumbing.outbox import OutboxEvent
from plumbing.publish import Publish

# An order with no step for this long is stalled. Lambda's own second try comes within a minute or
# so, and its third within three.
STALLED_AFTER = timedelta(minutes=4)
# At twice the interval each time that is some 17 hours: within the day for which payment providers
# keep an idempotency key, so that a charge that is published again is still the same charge.
MAX_RESUMES = 8
MAX_PER_RUN = 500


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order in the index of open orders, and when to look at it again."""

    order_id: str
    created_at: datetime
    next_attempt_at: datetime


class StoredOrder(Struct, frozen=True, kw_only=True):
    """An open order as it is stored: when it moved last, until when it is deferred, its resumes."""

    order_id: str
    status: str
    last_step_at: datetime
    next_attempt_at: str | None
    resumes: int
    outbox: OutboxEvent


class Orders(Protocol):
    """The open orders as this service reads and writes them."""

    def open(self, until: datetime) -> Iterable[OpenOrder]:
        """Return the orders that were created until then and have not ended."""

    def given_up(self) -> Iterable[OpenOrder]:
        """Return the orders that were given up."""

    def find(self, order_id: str) -> StoredOrder | None:
        """Return an order, or None when it has ended."""

    def defer(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Set the next attempt; return whether the order was still as it was read."""

    def give_up(self, order: StoredOrder) -> bool:
        """Leave the order to a person; return whether it was still as it was read."""


class Report(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run found and did, in numbers of orders.

    Overdue orders are open for longer than STALLED_AFTER, the oldest of them for so many seconds.
    Given-up orders wait for a person; `gave_up` has the ids of those given up in this run. The left
    orders were due too, and are for the next run.
    """

    overdue_orders: int
    oldest_overdue_seconds: int
    resumed_orders: int
    given_up_orders: int
    left_orders: int
    gave_up: list[str]


def resume_orders(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Publish again the last event of each stalled order; give up after MAX_RESUMES."""
    overdue = list(orders.open(now - STALLED_AFTER))
    due = [order for order in overdue if order.next_attempt_at <= now]
    chosen = nsmallest(MAX_PER_RUN, due, key=attrgetter("created_at"))
    gave_up: list[str] = []
    resumed = sum(_resume(order.order_id, orders, publish, now, gave_up) for order in chosen)
    return Report(
        overdue_orders=len(overdue),
        oldest_overdue_seconds=_oldest(overdue, now),
        resumed_orders=resumed,
        given_up_orders=len(list(orders.given_up())),
        left_orders=len(due) - len(chosen),
        gave_up=gave_up,
    )


def resume_all(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Publish again the last event of every open order, due or not, also of those given up."""
    found = [*orders.open(now), *orders.given_up()]
    chosen = nsmallest(MAX_PER_RUN, found, key=attrgetter("next_attempt_at"))
    stored = [orders.find(order.order_id) for order in chosen]
    done = [
        _defer_and_publish(order, orders, publish, now + STALLED_AFTER, 0)
        for order in stored
        if order
    ]
    return Report(
        overdue_orders=len(found),
        oldest_overdue_seconds=_oldest(found, now),
        resumed_orders=sum(done),
        given_up_orders=len(list(orders.given_up())),
        left_orders=len(found) - len(chosen),
        gave_up=[],
    )


def _resume(
    order_id: str, orders: Orders, publish: Publish, now: datetime, gave_up: list[str]
) -> bool:
    order = orders.find(order_id)
    if order is None or order.last_step_at + STALLED_AFTER > now:
        return False
    if order.resumes == MAX_RESUMES:
        gave_up += [order_id] * orders.give_up(order)
        return False
    until = now + STALLED_AFTER * 2**order.resumes
    return _defer_and_publish(order, orders, publish, until, order.resumes + 1)


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
    return max((int((now - order.created_at).total_seconds()) for order in orders), default=0)

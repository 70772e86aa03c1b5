"""The decision: which orders stand still, and when each is told of again, and for how long."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import attrgetter
from typing import Protocol

from msgspec import Struct

from plumbing.publish import Entry, Publish

# Lambda's own second try comes within a minute or so, and its third within three: what stands
# still for longer is late, or lost.
PATIENCE = timedelta(minutes=4)
# At twice the interval each time that is some 17 hours: within the day for which payment providers
# keep an idempotency key, so that a charge that is told of again is still the same charge.
MOST_RESUMES = 8
MOST_PER_RUN = 500


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order in the index of open orders; `due` is when to look at it again."""

    order_id: str
    since: datetime
    due: datetime


class StoredOrder(Struct, frozen=True, kw_only=True):
    """An open order as it stands: since when, put off until when, and how often resumed."""

    order_id: str
    status: str
    moved: datetime
    due: str | None
    resumes: int
    event: Entry


class Orders(Protocol):
    """The open orders as this service reads and writes them."""

    def open(self, until: datetime) -> Iterable[OpenOrder]:
        """Answer the orders that were opened until then and have not ended."""

    def given_up(self) -> Iterable[OpenOrder]:
        """Answer the orders that were given up."""

    def find(self, order_id: str) -> StoredOrder | None:
        """Answer how an order stands, or None when it has ended."""

    def put_off(self, order: StoredOrder, until: datetime, resumes: int) -> bool:
        """Let the order rest until then; answer whether it still stood as it was read."""

    def give_up(self, order: StoredOrder) -> bool:
        """Leave the order to a person; answer whether it still stood as it was read."""


class Report(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run found and did, in numbers of orders.

    Overdue are those open for longer than PATIENCE, and the oldest of them for so many seconds;
    the given up wait for a person, and some of them were given up now, `gave_up`; the left were
    due too, and are for the next run.
    """

    overdue_orders: int
    oldest_overdue_seconds: int
    resumed_orders: int
    given_up_orders: int
    left_orders: int
    gave_up: list[str]


def resume_orders(orders: Orders, publish: Publish, now: datetime) -> Report:
    """Say again the event stored with each order that stands still; give up when it is no use."""
    overdue = list(orders.open(now - PATIENCE))
    due = [order for order in overdue if order.due <= now]
    chosen = nsmallest(MOST_PER_RUN, due, key=attrgetter("since"))
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
    """Say again the event stored with every open order, also of those given up, due or not."""
    found = [*orders.open(now), *orders.given_up()]
    chosen = nsmallest(MOST_PER_RUN, found, key=attrgetter("due"))
    stored = [orders.find(order.order_id) for order in chosen]
    done = [_say(order, orders, publish, now + PATIENCE, 0) for order in stored if order]
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
    if order is None or order.moved + PATIENCE > now:
        return False
    if order.resumes == MOST_RESUMES:
        gave_up += [order_id] * orders.give_up(order)
        return False
    due = now + PATIENCE * 2**order.resumes
    return _say(order, orders, publish, due, order.resumes + 1)


def _say(order: StoredOrder, orders: Orders, publish: Publish, due: datetime, resumes: int) -> bool:
    # Put off first: of two runs at once each order is said by one, and what a crash left unsaid
    # is due again.
    still = orders.put_off(order, due, resumes)
    if still:
        publish(order.event)
    return still


def _oldest(orders: Iterable[OpenOrder], now: datetime) -> int:
    return max((int((now - order.since).total_seconds()) for order in orders), default=0)

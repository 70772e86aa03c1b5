"""What was seen of the orders: a bounded picture in memory, made only of what was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from harness.bus import Crossing
from harness.orders import ENDS
from harness.ui import ways
from plumbing.publish import Entry

KEPT_ORDERS = 1000
KEPT_CROSSINGS = 20  # of one order: what is said more often is counted, not kept
KEPT_SKUS = 20
MOST_BYTES = 64 * 1024  # of one event; the saga's own have less than one hundredth

MOST_OF_A_NAME = 128  # as long as the orders' API takes a SKU

# Times are milliseconds since 1970, as the bus stamps what crosses it.
FIRST_ASKED_AFTER = 250
ASKED_EVERY_AT_MOST = 60_000
NEVER = 2**62


class Envelope(msgspec.Struct, frozen=True):
    """What EventBridge puts around an event, and the event's own text."""

    source: str
    detail: msgspec.Raw
    detail_type: str = msgspec.field(name="detail-type")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One crossing of the bus by one order's event."""

    event: str
    source: str
    at: int
    body: str
    again: bool = False  # the event had crossed before
    same: bool = True  # to the byte the one that crossed first


class Order(msgspec.Struct, kw_only=True):
    """What is known of an order."""

    order_id: str
    number: int  # in the order in which orders were first seen
    customer_id: str = ""
    sku: str = ""
    quantity: str = ""
    amount_cents: str = ""
    reason: str | None = None
    reached: dict[str, int] = {}  # when it came to each status
    seen: list[Seen] = []
    again: int = 0  # how often an event of it crossed again
    overdue: bool = False
    note: str | None = None  # what the orders' API said instead of a record
    asked: int = 0
    ask_at: int = NEVER

    @property
    def status(self) -> str:
        """Where it stands."""
        return max(self.reached, key=ways.rank)

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more will come of it."""
        return self.status in ENDS

    @property
    def waits_for(self) -> str | None:
        """The service that has to take the next step, or None."""
        return None if self.has_ended else ways.HEARER.get(ways.EVENT.get(self.status, ""))


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An order as the page lists it."""

    order_id: str
    number: int
    customer_id: str
    sku: str
    quantity: str
    amount_cents: str
    statuses: list[str]
    began: int
    since: int
    reason: str | None = None
    overdue: bool = False
    ended: bool = False
    waits_for: str | None = None
    again: int = 0


class Entered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line of an order's timeline: an event that crossed, or a status that only is recorded."""

    at: int
    status: str
    event: str | None = None
    source: str | None = None
    body: str | None = None
    again: bool = False
    same: bool = True


class Timeline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that is known of one order."""

    order: Row
    entries: list[Entered]
    next_event: str | None  # what it waits for is to be done with this event
    note: str | None


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is different since the last look; counts are whole, so that it can be told twice."""

    orders: list[Row]
    gone: list[str]  # no longer kept
    events: Mapping[str, int]  # how often each crossed
    standing: Mapping[str, int]  # how many orders stand at each status
    overdue: int


class Watch:
    """The newest orders as far as events and records tell of them; open ones are kept longest."""

    def __init__(self, overdue_after: int, kept: int = KEPT_ORDERS) -> None:
        self._overdue_after, self._kept = overdue_after, kept
        self._open: dict[str, Order] = {}
        self._ended: dict[str, Order] = {}
        self._skus: dict[str, None] = {}
        self._number = 0
        self._events = Counter(dict.fromkeys(ways.STATUS, 0))
        self._standing = Counter(dict.fromkeys(ways.STATUSES, 0))
        self._changed: set[str] = set()
        self._gone: list[str] = []

    def heard(self, crossing: Crossing) -> None:
        """Take what crossed the bus; what no service of the saga said is left alone."""
        try:
            if len(crossing.body) > MOST_BYTES:
                return
            envelope = msgspec.json.decode(crossing.body, type=Envelope)
            detail = msgspec.json.decode(envelope.detail, type=dict[str, Any])
        except msgspec.DecodeError:
            return
        order_id, event = detail.get("orderId"), envelope.detail_type
        if ways.SOURCE.get(event) != envelope.source or not isinstance(order_id, str):
            return
        self._events[event] += 1
        order = self._find(order_id) or self._meet(order_id)
        first = next((seen for seen in order.seen if seen.event == event), None)
        seen = Seen(
            event=event,
            source=envelope.source,
            at=crossing.at,
            body=crossing.body,
            again=first is not None,
            same=first is None or _detail(first) == bytes(envelope.detail),
        )
        order.again += seen.again
        if len(order.seen) < KEPT_CROSSINGS:
            order.seen.append(seen)
        if first is None:
            _learn(order, detail)
            self._remember(order.sku)
            self._reach(order, {ways.STATUS[event]: crossing.at}, crossing.at)
        self._changed.add(order_id)

    def recorded(self, order_id: str, record: Mapping[str, Any], now: int) -> None:
        """Take an order's record as the orders' API answers it."""
        reached = {step["status"]: _milliseconds(step["at"]) for step in record["history"]}
        order = self._find(order_id) or self._meet(order_id)
        order.reason = record.get("failureReason", order.reason)
        order.note = None
        self._reach(order, reached)
        self._asked(order, now)

    def unrecorded(self, order_id: str, note: str, now: int) -> None:
        """Take that the orders' API answered no record, and what it said instead."""
        if order := self._find(order_id):
            order.note = note
            self._asked(order, now)

    def look(self, now: int) -> None:
        """Find the orders that have stood still for too long."""
        for order in self._open.values():
            since = order.reached[order.status]
            if not order.overdue and now - since > self._overdue_after:
                order.overdue = True
                order.ask_at = min(order.ask_at, now)
                self._changed.add(order.order_id)

    def to_ask_about(self, now: int, most: int) -> list[str]:
        """Answer orders of which only the record can tell more, each less often than before."""
        due = (order.order_id for order in self._open.values() if order.ask_at <= now)
        return [order_id for _, order_id in zip(range(most), due, strict=False)]

    @property
    def skus(self) -> list[str]:
        """What was ordered last, by SKU."""
        return list(self._skus)

    def knows_all(self, order_id: str) -> bool:
        """Tell whether this order was seen from its beginning."""
        order = self._find(order_id)
        return order is not None and ways.FIRST in order.reached

    def timeline(self, order_id: str) -> Timeline | None:
        """Answer all that is known of an order, or None."""
        order = self._find(order_id)
        if order is None:
            return None
        told = {ways.STATUS[seen.event] for seen in order.seen}
        entries = [
            Entered(
                at=seen.at,
                status=ways.STATUS[seen.event],
                event=seen.event,
                source=seen.source,
                body=seen.body,
                again=seen.again,
                same=seen.same,
            )
            for seen in order.seen
        ]
        entries += [
            Entered(at=at, status=status)
            for status, at in order.reached.items()
            if status not in told
        ]
        entries.sort(key=lambda entry: (entry.at, ways.rank(entry.status)))
        waits = order.waits_for is not None
        return Timeline(
            order=_row(order),
            entries=entries,
            next_event=ways.EVENT.get(order.status) if waits else None,
            note=order.note,
        )

    def said(self, order_id: str | None, event: str | None) -> Entry | None:
        """Answer an event as it was said: of this order or the newest, this one or its last."""
        orders = [*self._open.values(), *self._ended.values()]
        chosen = self._find(order_id) if order_id else max(orders, key=_number, default=None)
        found = [seen for seen in chosen.seen if event in (None, seen.event)] if chosen else []
        if not found:
            return None
        return Entry(found[-1].source, found[-1].event, _detail(found[-1]).decode())

    def everything(self) -> Change:
        """Answer all that is kept, as one change from nothing."""
        orders = sorted([*self._open.values(), *self._ended.values()], key=_number)
        return self._change(orders, [])

    def take(self) -> Change | None:
        """Answer what changed since this was last called, or None."""
        if not self._changed and not self._gone:
            return None
        orders = [order for one in self._changed if (order := self._find(one))]
        change = self._change(sorted(orders, key=_number), self._gone)
        self._changed, self._gone = set(), []
        return change

    def _change(self, orders: list[Order], gone: list[str]) -> Change:
        return Change(
            orders=[_row(order) for order in orders],
            gone=gone,
            events=dict(self._events),
            standing=dict(self._standing),
            overdue=sum(order.overdue for order in self._open.values()),
        )

    def _find(self, order_id: str) -> Order | None:
        return self._open.get(order_id) or self._ended.get(order_id)

    def _meet(self, order_id: str) -> Order:
        self._number += 1
        order = self._open[order_id] = Order(order_id=order_id, number=self._number)
        if len(self._open) + len(self._ended) > self._kept:
            self._let_go(self._ended or self._open)
        return order

    def _let_go(self, orders: dict[str, Order]) -> None:
        """Forget the oldest of these; where it ended stays counted."""
        oldest = orders.pop(next(iter(orders)))
        if not oldest.has_ended:
            self._standing[oldest.status] -= 1
        self._gone.append(oldest.order_id)

    def _reach(self, order: Order, reached: Mapping[str, int], heard_at: int | None = None) -> None:
        """Take the order on to these statuses, where it has not been there."""
        before = order.status if order.reached else None
        order.reached = {**reached, **order.reached}
        if order.status == before:
            return
        if before is not None:
            self._standing[before] -= 1
        self._standing[order.status] += 1
        order.overdue, order.asked, order.ask_at = False, 0, NEVER
        there, elsewhere = self._open, self._ended
        if order.has_ended:
            there, elsewhere = elsewhere, there
        elsewhere.pop(order.order_id, None)
        there[order.order_id] = order
        is_whole = ways.FIRST in order.reached
        if heard_at is not None and (not is_whole or order.waits_for in ways.SILENT):
            order.ask_at = heard_at + FIRST_ASKED_AFTER

    def _remember(self, sku: str) -> None:
        self._skus.pop(sku, None)
        if 0 < len(sku) <= MOST_OF_A_NAME:
            self._skus[sku] = None
        if len(self._skus) > KEPT_SKUS:
            del self._skus[next(iter(self._skus))]

    def _asked(self, order: Order, now: int) -> None:
        order.asked += 1
        pause = min(ASKED_EVERY_AT_MOST, FIRST_ASKED_AFTER * 2 ** min(order.asked, 10))
        order.ask_at = NEVER if order.has_ended else now + pause
        self._changed.add(order.order_id)


def _number(order: Order) -> int:
    return order.number


def _row(order: Order) -> Row:
    return Row(
        order_id=order.order_id,
        number=order.number,
        customer_id=order.customer_id,
        sku=order.sku,
        quantity=order.quantity,
        amount_cents=order.amount_cents,
        reason=order.reason,
        statuses=sorted(order.reached, key=ways.rank),
        began=min(order.reached.values()),
        since=order.reached[order.status],
        overdue=order.overdue,
        ended=order.has_ended,
        waits_for=order.waits_for,
        again=order.again,
    )


def _learn(order: Order, detail: Mapping[str, Any]) -> None:
    """Take what an event tells of its order, whatever types a forger gave it."""
    order.customer_id = str(detail.get("customerId", order.customer_id))
    order.sku = str(detail.get("sku", order.sku))
    order.quantity = str(detail.get("quantity", order.quantity))
    order.amount_cents = str(detail.get("amountCents", order.amount_cents))
    if "reason" in detail:
        order.reason = str(detail["reason"])


def _detail(seen: Seen) -> bytes:
    return bytes(msgspec.json.decode(seen.body, type=Envelope).detail)


def _milliseconds(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)

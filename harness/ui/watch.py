"""What was observed of the orders: a bounded view in memory, built from events and records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from harness.bus import ObservedEvent
from harness.flow.flow import Flow
from plumbing.outbox import OutboxEvent
from plumbing.untrusted import MalformedError, decode_json

KEPT_ORDERS = 1000
KEPT_EVENTS = 20  # of one order: further duplicates are counted, not kept
KEPT_SKUS = 20
MAX_BYTES = 64 * 1024  # of one event; the saga's own have less than one hundredth
MAX_NAME_LENGTH = 128  # the longest SKU that the orders' API accepts

# Times are milliseconds since 1970, as SQS stamps what the tap receives.
FIRST_ASKED_AFTER = 250
ASKED_EVERY_AT_MOST = 60_000
NEVER = 2**62


class Envelope(msgspec.Struct, frozen=True):
    """EventBridge's envelope of an event, with the event's own text."""

    source: str
    detail: msgspec.Raw
    detail_type: str = msgspec.field(name="detail-type")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One observation of an order's event."""

    event: str
    source: str
    at: int
    body: str
    duplicate: bool = False  # the event was observed before
    same: bool = True  # byte for byte as it was observed first


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
    status: str = ""  # the last of these
    ended: bool = False
    outcome: str | None = None
    waits_for: str | None = None  # the service that has to make the next step
    seen: list[Seen] = []
    duplicates: int = 0
    overdue: bool = False
    note: str | None = None  # the error of the orders' API instead of a record
    asked: int = 0
    ask_at: int = NEVER


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
    outcome: str | None = None  # "completed", "failed" or "compensated", once it has ended
    waits_for: str | None = None
    duplicates: int = 0


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line of an order's timeline: an observed event, or a status that is only recorded."""

    at: int
    status: str
    event: str | None = None
    source: str | None = None
    body: str | None = None
    duplicate: bool = False
    same: bool = True


class Timeline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All that is known of one order."""

    order: Row
    entries: list[TimelineEntry]
    next_event: str | None  # the event that the service it waits for has to consume
    note: str | None


class Change(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What changed since the last update; counts are whole, so that it can be sent twice."""

    orders: list[Row]
    gone: list[str]  # no longer kept
    events: Mapping[str, int]  # how often each was observed
    statuses: Mapping[str, int]  # how many orders have each status
    overdue: int


class Watch:
    """The newest orders as observed from events and records; open ones are kept longest."""

    def __init__(self, flow: Flow, overdue_after: int, kept: int = KEPT_ORDERS) -> None:
        self._flow = flow
        self._rank = {status.name: rank for rank, status in enumerate(flow.statuses)}
        # A service whose step publishes no event: only the order's record shows that step.
        self._silent = {one.service for one in flow.transitions if one.publishes is None}
        self._overdue_after, self._kept = overdue_after, kept
        self._open: dict[str, Order] = {}
        self._ended: dict[str, Order] = {}
        self._skus: dict[str, None] = {}
        self._number = 0
        self._events = Counter({event.name: 0 for event in flow.events})
        self._statuses = Counter(dict.fromkeys(self._rank, 0))
        self._changed: set[str] = set()
        self._gone: list[str] = []

    def observe(self, observed: ObservedEvent) -> None:
        """Take an event from the tap; what no service of the saga publishes is ignored."""
        try:
            if len(observed.body) > MAX_BYTES:
                return
            envelope: Envelope = decode_json(observed.body, Envelope)
            detail: dict[str, Any] = decode_json(envelope.detail, dict[str, Any])
        except MalformedError:
            return
        order_id, event = detail.get("orderId"), envelope.detail_type
        declared = self._flow.event(event)
        if declared is None or declared.source != envelope.source or not isinstance(order_id, str):
            return
        self._events[event] += 1
        order = self._find(order_id) or self._add(order_id)
        first = next((seen for seen in order.seen if seen.event == event), None)
        seen = Seen(
            event=event,
            source=envelope.source,
            at=observed.at,
            body=observed.body,
            duplicate=first is not None,
            same=first is None or _detail(first) == bytes(envelope.detail),
        )
        order.duplicates += seen.duplicate
        if len(order.seen) < KEPT_EVENTS:
            order.seen.append(seen)
        if first is None:
            _learn(order, detail)
            self._remember(order.sku)
            self._reach(order, {declared.status: observed.at}, observed.at)
        self._changed.add(order_id)

    def recorded(self, order_id: str, record: Mapping[str, Any], now: int) -> None:
        """Take an order's record as the orders' API returns it."""
        reached = {step["status"]: _milliseconds(step["at"]) for step in record["history"]}
        order = self._find(order_id) or self._add(order_id)
        order.reason = record.get("failureReason", order.reason)
        order.note = None
        self._reach(order, reached)
        self._asked(order, now)

    def unrecorded(self, order_id: str, note: str, now: int) -> None:
        """Take the error that the orders' API returned instead of a record."""
        if order := self._find(order_id):
            order.note = note
            self._asked(order, now)

    def look(self, now: int) -> None:
        """Find the orders without a step for too long."""
        for order in self._open.values():
            since = order.reached[order.status]
            if not order.overdue and now - since > self._overdue_after:
                order.overdue = True
                order.ask_at = min(order.ask_at, now)
                self._changed.add(order.order_id)

    def to_ask_about(self, now: int, limit: int) -> list[str]:
        """Return orders of which only the record can show more, each less often than before."""
        due = (order.order_id for order in self._open.values() if order.ask_at <= now)
        return [order_id for _, order_id in zip(range(limit), due, strict=False)]

    @property
    def skus(self) -> list[str]:
        """What was ordered last, by SKU."""
        return list(self._skus)

    def knows_all(self, order_id: str) -> bool:
        """Return whether this order was observed from its first step on."""
        order = self._find(order_id)
        return order is not None and self._is_whole(order)

    def timeline(self, order_id: str) -> Timeline | None:
        """Return all that is known of an order, or None."""
        order = self._find(order_id)
        if order is None:
            return None
        status_of = {event.name: event.status for event in self._flow.events}
        shown = {status_of[seen.event] for seen in order.seen}
        entries = [
            TimelineEntry(
                at=seen.at,
                status=status_of[seen.event],
                event=seen.event,
                source=seen.source,
                body=seen.body,
                duplicate=seen.duplicate,
                same=seen.same,
            )
            for seen in order.seen
        ]
        entries += [
            TimelineEntry(at=at, status=status)
            for status, at in order.reached.items()
            if status not in shown
        ]
        entries.sort(key=lambda entry: (entry.at, self._order_of(entry.status)))
        onward = self._flow.leaving(order.status)
        return Timeline(
            order=self._row(order),
            entries=entries,
            next_event=onward[0].consumes if onward else None,
            note=order.note,
        )

    def stored_event(self, order_id: str | None, event: str | None) -> OutboxEvent | None:
        """Return an event as it was observed: of this order or the newest, this one or its last."""
        orders = [*self._open.values(), *self._ended.values()]
        chosen = self._find(order_id) if order_id else max(orders, key=_number, default=None)
        found = [seen for seen in chosen.seen if event in (None, seen.event)] if chosen else []
        if not found:
            return None
        return OutboxEvent(found[-1].source, found[-1].event, _detail(found[-1]).decode())

    def everything(self) -> Change:
        """Return all that is kept, as one change from nothing."""
        orders = sorted([*self._open.values(), *self._ended.values()], key=_number)
        return self._change(orders, [])

    def take(self) -> Change | None:
        """Return what changed since this was last called, or None."""
        if not self._changed and not self._gone:
            return None
        orders = [order for one in self._changed if (order := self._find(one))]
        change = self._change(sorted(orders, key=_number), self._gone)
        self._changed, self._gone = set(), []
        return change

    def _change(self, orders: list[Order], gone: list[str]) -> Change:
        return Change(
            orders=[self._row(order) for order in orders],
            gone=gone,
            events=dict(self._events),
            statuses=dict(self._statuses),
            overdue=sum(order.overdue for order in self._open.values()),
        )

    def _row(self, order: Order) -> Row:
        return Row(
            order_id=order.order_id,
            number=order.number,
            customer_id=order.customer_id,
            sku=order.sku,
            quantity=order.quantity,
            amount_cents=order.amount_cents,
            reason=order.reason,
            statuses=sorted(order.reached, key=self._order_of),
            began=min(order.reached.values()),
            since=order.reached[order.status],
            overdue=order.overdue,
            ended=order.ended,
            outcome=order.outcome,
            waits_for=order.waits_for,
            duplicates=order.duplicates,
        )

    def _order_of(self, status: str) -> int:
        """Return a status's place in the flow; an unknown one comes last."""
        return self._rank.get(status, len(self._rank))

    def _is_whole(self, order: Order) -> bool:
        """Return whether the order was observed from its first step on."""
        return any(one.to in order.reached for one in self._flow.leaving(None))

    def _find(self, order_id: str) -> Order | None:
        return self._open.get(order_id) or self._ended.get(order_id)

    def _add(self, order_id: str) -> Order:
        self._number += 1
        order = self._open[order_id] = Order(order_id=order_id, number=self._number)
        if len(self._open) + len(self._ended) > self._kept:
            self._let_go(self._ended or self._open)
        return order

    def _let_go(self, orders: dict[str, Order]) -> None:
        """Forget the oldest of these; its final status stays counted."""
        oldest = orders.pop(next(iter(orders)))
        if not oldest.ended:
            self._statuses[oldest.status] -= 1
        self._gone.append(oldest.order_id)

    def _reach(
        self, order: Order, reached: Mapping[str, int], observed_at: int | None = None
    ) -> None:
        """Take the order on to these statuses, unless it reached them before."""
        before = order.status
        order.reached = {**reached, **order.reached}
        order.status = max(order.reached, key=self._order_of)
        if order.status == before:
            return
        onward = self._flow.leaving(order.status)
        order.waits_for = onward[0].service if onward else None
        order.ended = order.status in self._rank and not onward
        order.outcome = self._flow.outcome(order.status) if order.ended else None
        if before:
            self._statuses[before] -= 1
        self._statuses[order.status] += 1
        order.overdue, order.asked, order.ask_at = False, 0, NEVER
        there, elsewhere = self._open, self._ended
        if order.ended:
            there, elsewhere = elsewhere, there
        elsewhere.pop(order.order_id, None)
        there[order.order_id] = order
        silent = order.waits_for in self._silent
        if observed_at is not None and (silent or not self._is_whole(order)):
            order.ask_at = observed_at + FIRST_ASKED_AFTER

    def _remember(self, sku: str) -> None:
        self._skus.pop(sku, None)
        if 0 < len(sku) <= MAX_NAME_LENGTH:
            self._skus[sku] = None
        if len(self._skus) > KEPT_SKUS:
            del self._skus[next(iter(self._skus))]

    def _asked(self, order: Order, now: int) -> None:
        order.asked += 1
        pause = min(ASKED_EVERY_AT_MOST, FIRST_ASKED_AFTER * 2 ** min(order.asked, 10))
        order.ask_at = NEVER if order.ended else now + pause
        self._changed.add(order.order_id)


def _number(order: Order) -> int:
    return order.number


def _learn(order: Order, detail: Mapping[str, Any]) -> None:
    """Take the order's fields from an event, whatever types a forger gave them."""
    order.customer_id = _text(detail.get("customerId", order.customer_id))
    order.sku = _text(detail.get("sku", order.sku))
    order.quantity = _text(detail.get("quantity", order.quantity))
    order.amount_cents = _text(detail.get("amountCents", order.amount_cents))
    if "reason" in detail:
        order.reason = _text(detail["reason"])


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"


def _detail(seen: Seen) -> bytes:
    return bytes(msgspec.json.decode(seen.body, type=Envelope).detail)


def _milliseconds(at: str) -> int:
    return round(datetime.fromisoformat(at).timestamp() * 1000)

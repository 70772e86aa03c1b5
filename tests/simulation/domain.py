"""What this saga's domain promises beside what every saga does: stock, money and goods."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from explorer.view import View, arguments
from explorer.world import later

GATEWAY, CARRIER = "charge_payment.gateway", "notify_shipping.carrier"
WAIT, SKEW = timedelta(minutes=5), timedelta(minutes=2)
# After so long a step without an event is stalled, by docs/runbook.md.
STALLED_AFTER = timedelta(minutes=4)


def stock_adds_up(view: View) -> Iterator[str]:
    """I1, I2: what is available and what orders hold is what there was, and nothing is owed."""
    held: Counter[str] = Counter()
    holding = frozenset[str]().union(*view.flow.held.values())
    for order in view.items("orders").values():
        if order["status"] in holding:
            held[order["sku"]] += order["quantity"]
    for item in view.scenario.items["inventory"]:
        sku, available = item["sku"], view.items("inventory")[item["sku"]]["available"]
        if available + held[sku] != item["available"]:
            yield f"I1 of {item['available']} {sku}, {available} are available and {held[sku]} held"
        if available < 0:
            yield f"I2 {available} {sku} are available"


def what_is_there_is_sold(view: View) -> Iterator[str]:
    """I2: whatever is there is sold: an order fails only if there are too few units."""
    orders = view.items("orders").values()
    if not view.rests or any(
        order["status"] in view.flow.after(["PAYMENT_FAILED"]) for order in orders
    ):
        return  # what was released came too late for those that failed before
    for order in orders:
        stored = view.items("inventory").get(order["sku"], {"available": 0})
        if order["status"] == "INVENTORY_FAILED" and stored["available"] >= order["quantity"]:
            yield f"I2 an order failed, and {stored['available']} {order['sku']} are available"


def money_and_goods_move_once(view: View) -> Iterator[str]:
    """I3 to I6, I12: charged once and right, shipped once and right, and only what is paid for."""
    for order_id, order in _orders(view):
        status = order.get("status", "not stored")
        charges = [act for act in view.acts(GATEWAY, order_id) if act.effect]
        bookings = view.acts(CARRIER, order_id)
        for charge in charges:
            asked = arguments(charge)
            if (asked["customer_id"], asked["amount_cents"]) != (
                order.get("customerId"),
                order.get("amountCents"),
            ):
                yield f"I3 a card was charged another amount, or another card: {asked}"
        if charges and status not in {"INVENTORY_RESERVED", *view.flow.charged}:
            yield f"I4/I6 an order was charged, and is {status}"
        if status in view.flow.charged and not charges:
            yield f"I5 an order was not charged, and is {status}"
        for booking in bookings:
            asked = arguments(booking)
            if any(
                asked[name] != order.get(field)
                for name, field in (
                    ("sku", "sku"),
                    ("quantity", "quantity"),
                    ("customer_id", "customerId"),
                )
            ):
                yield f"I5 other goods were sent than were ordered: {asked}"
        if bookings and status not in view.flow.charged:
            yield f"I5 goods were sent, and the order is {status}"


def _orders(view: View) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every order that is stored, or that a partner was asked about."""
    asked = {act.subject for partner in (GATEWAY, CARRIER) for act in view.acts(partner)}
    for order_id in asked | set(view.items("orders")):
        yield order_id, view.items("orders").get(order_id, {})


def what_was_posted_is_stored(view: View) -> Iterator[str]:
    """I11: each customer's order is there once, as it was accepted, and there is no other."""
    orders = view.items("orders")
    customers = Counter(order["customerId"] for order in orders.values())
    posted = [one.event for one in view.scenario.requests]
    for customer, count in customers.items():
        if count > 1:
            yield f"I11 there are {count} orders of {customer}, who posted one"
    for order in orders.values():
        if not any(_is_of(order, event) for event in posted):
            yield "I11 there is an order that nobody posted"
    for outcome in view.outcomes:
        sent = view.request(outcome)
        if outcome.what == "done" and not _is_of(orders.get(outcome.subject, {}), sent):
            yield "I11 an order was accepted, and what is stored is not that order"
        failed = outcome.what in ("raised", "refused") and sent["body"]
        if failed and any(_is_of(order, sent) for order in orders.values()):
            yield f"I11 a customer's order is {outcome.what}, and it is stored"


def _is_of(order: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Return whether an order is what was posted."""
    return all(order.get(name) == value for name, value in posted_body(request).items())


def posted_body(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was posted."""
    return _decoded(request["body"] or "{}")


@functools.cache
def _decoded(body: str) -> dict[str, Any]:
    return dict(msgspec.json.decode(body))


def the_sweep_finds_what_is_open(view: View) -> Iterator[str]:
    """I8, I14: what is open is where the sweep looks; it resumes after 4, 8, 16 minutes."""
    for order_id, order in view.items("orders").items():
        status, place = order["status"], order.get("openShard")
        if (place is not None) == (status in view.flow.final):
            yield f"I8 an order that is {status} is {'not ' if place is None else ''}open"
        places = {None, order_id[0], "given-up"}
        if "nextAttemptAt" in order:
            places.add(f"deferred-{order_id[0]}")
        if place not in places:
            yield f"I8 no run finds an order that is {status}"
        resumes = order.get("resumes", 0)
        stood = later(view.seconds) - datetime.fromisoformat(order["history"][-1]["at"])
        off = 2 * SKEW if "skews" in view.scenario.may else timedelta(0)  # each clock by itself
        if resumes and timedelta(0) <= stood < STALLED_AFTER * 2 ** (resumes - 1) - off:
            yield f"I14 an order was resumed {resumes} times in {stood}"
        if [step["status"] for step in order["history"]][-1] != status:
            yield f"I7 an order is {status}, and its history ends otherwise"


def until_due(view: View) -> timedelta:
    """Return after how long every open order is due for the sweep, by any clock."""
    resumes = (int(order.get("resumes", 0)) for order in view.items("orders").values())
    longest: int = 2 ** max(resumes, default=0)
    return WAIT * longest + SKEW


INVARIANTS = (
    stock_adds_up,
    what_is_there_is_sold,
    money_and_goods_move_once,
    what_was_posted_is_stored,
    the_sweep_finds_what_is_open,
)


def no_status_comes_twice(view: View) -> Iterator[str]:
    """While releases mix: no status comes twice, and none after an end."""
    for order in view.items("orders").values():
        history = [step["status"] for step in order["history"]]
        if len(set(history)) < len(history):
            yield f"an order went {' → '.join(history)}"
        if view.ends & set(history[:-1]):
            yield f"an order went on after its end: {' → '.join(history)}"


def money_is_right(view: View) -> Iterator[str]:
    """While releases mix: charged once, of the order's amount, for what is shipped once."""
    flow = view.flow
    undone = flow.after(
        one.after for one in flow.transitions if one.failure or one.compensates is not None
    )
    for order_id, order in _orders(view):
        charges = [act for act in view.acts(GATEWAY, order_id) if act.effect]
        bookings, customer = view.acts(CARRIER, order_id), order.get("customerId", "somebody")
        if len(charges) > 1:
            yield f"the card of {customer} was charged {len(charges)} times"
        if any(arguments(one)["amount_cents"] != order.get("amountCents") for one in charges):
            yield f"the card of {customer} was charged another amount"
        if charges and order.get("status") in undone:
            yield f"{customer} was charged, and the order is {order['status']}"
        if bookings and not charges:
            yield f"goods go to {customer}, who was not charged"
        if len(bookings) > 1:
            yield f"goods go to {customer} {len(bookings)} times"


MIXED = (stock_adds_up, money_is_right, no_status_comes_twice)

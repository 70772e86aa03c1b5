"""Show where orders are in the flow: trace."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from harness import environment, flow
from harness.commands.command import Command, add_aws, moment, one_or_more, order_id, seconds
from harness.errors import UserError
from harness.terminal import TraceView, complain, open_order_line, say, say_json
from harness.trace import StoredOrders, Trace, Unreadable
from harness.trace import trace as trace_order
from plumbing.step import format_timestamp
from resume_orders.resume_orders import STALLED_AFTER

FOLLOW_SECONDS = 0.2


def _trace_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("order_id", nargs="?", type=order_id, metavar="ID")
    parser.add_argument("--open", action="store_true", help="all in progress, oldest first")
    parser.add_argument(
        "--limit", type=one_or_more, default=50, help="list at most so many (default: 50)"
    )
    parser.add_argument(
        "--older-than",
        type=moment,
        metavar="WHEN",
        help="with --open: only those created before a time (ISO 8601), or so long ago (90s, 15m, "
        "2h, 3d); exit status 1 while there is one",
    )
    parser.add_argument("--follow", action="store_true", help="stay with it until it has ended")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument(
        "--overdue",
        type=seconds,
        default=STALLED_AFTER.total_seconds(),
        metavar="SECONDS",
        help="without a step for longer is overdue (default: when the sweep finds it stalled)",
    )
    add_aws(parser)


def trace(call: argparse.Namespace) -> int:
    """Show an order's steps and what it waits for, or all orders in progress."""
    if bool(call.order_id) == call.open:
        raise UserError("Name one order, or give --open for all in progress.")
    if call.older_than and not call.open:
        raise UserError("--older-than is about all orders in progress: give --open with it.")
    stored = StoredOrders(environment.clients(call.home, on_aws=call.aws, prefix=call.prefix))
    return _trace_open(stored, call) if call.open else _trace_one(stored, call)


def _trace_one(stored: StoredOrders, call: argparse.Namespace) -> int:
    view, seen = TraceView(), -1
    while True:
        found = _traced(stored.find(call.order_id), call)
        if not call.json:
            view.draw(found)
        elif len(found.steps) > seen:
            say_json(found)
        seen = len(found.steps)
        if not (call.follow and found.waits_for):
            break
        time.sleep(FOLLOW_SECONDS)
    if not call.json:
        view.end(found)
    return 0


def _trace_open(stored: StoredOrders, call: argparse.Namespace) -> int:
    """List the orders in progress, oldest first."""
    items = stored.open(call.limit, call.older_than)
    found = [one for item in items if (one := _readable(item, call))]
    for one in found:
        if call.json:
            say_json(one)
        elif one.waits_for:
            say(open_order_line(one, datetime.now(UTC)))
    if not call.json:
        overdue = sum(one.waits_for.overdue for one in found if one.waits_for)
        more = " or more" if len(items) == call.limit else ""
        older = f" from before {format_timestamp(call.older_than)}" if call.older_than else ""
        say(f"{len(found)}{more} in progress{older}, {overdue} overdue.")
    return int(bool(call.older_than and items))


def _readable(item: dict[str, Any], call: argparse.Namespace) -> Trace | None:
    """Trace an order; one that cannot be read is named, and keeps no other from being listed."""
    try:
        return _traced(item, call)
    except Unreadable as error:
        complain(error)
        return None


def _traced(item: dict[str, Any], call: argparse.Namespace) -> Trace:
    return trace_order(item, flow.load(), datetime.now(UTC), timedelta(seconds=call.overdue))


COMMANDS = (Command(trace, _trace_options),)

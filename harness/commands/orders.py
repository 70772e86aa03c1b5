"""Place orders and look at them as a customer does, and set the stock: trigger, order, stock."""

from __future__ import annotations

import argparse
import os

import msgspec

from harness import environment
from harness.commands.command import (
    Command,
    add_api_url,
    add_aws,
    number,
    one_or_more,
    order_id,
    seconds,
    text,
    units,
)
from harness.connect import is_on_this_machine
from harness.deploy import startup_failures
from harness.errors import UserError
from harness.logs import errors
from harness.orders import SCENARIOS, NotEnded, Orders, Refused, Request
from harness.saga import SERVICES
from harness.stock import Stock
from harness.terminal import OrderProgress, OrderSummary, say, show_record

DRAWN = 9  # up to so many orders are drawn one by one


def _trigger_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="happy")
    parser.add_argument("--sku", type=text)
    parser.add_argument("--customer", type=text)
    parser.add_argument("--quantity", type=number)
    parser.add_argument("--amount", type=number, metavar="CENTS")
    parser.add_argument("--count", type=one_or_more, default=1, help="how many of each")
    parser.add_argument("--timeout", type=seconds, default=60, metavar="SECONDS", help="for each")
    add_api_url(parser)


def trigger(call: argparse.Namespace) -> int:
    """Place orders and follow each to its end."""
    with _orders(call) as orders:
        try:
            code = place_and_follow(orders, _requests(call), call.timeout)
        except Refused:
            raise  # the order is at fault, and no function
        except UserError:
            _show_errors(call)
            raise
    if code:
        _show_errors(call)
    return code


def _requests(call: argparse.Namespace) -> list[tuple[str, Request]]:
    """Build the orders to place: those of the scenarios, changed by the options given."""
    names = list(SCENARIOS) if call.scenario == "all" else [call.scenario]
    options = {
        "customer_id": call.customer,
        "sku": call.sku,
        "quantity": call.quantity,
        "amount_cents": call.amount,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return [
        (name, msgspec.structs.replace(SCENARIOS[name], **given))
        for _ in range(call.count)
        for name in names
    ]


def place_and_follow(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    """Place labelled orders and show how each ends; return 1 if one does not, else 0."""
    return (_draw if len(requests) <= DRAWN else _count)(orders, requests, seconds)


def _draw(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    """Place the orders one after the other, and draw the steps of each as they happen."""
    stuck = 0
    for label, request in requests:
        order_id = orders.place(request)
        progress = OrderProgress(label)
        try:
            for record in orders.follow(order_id, seconds):
                progress.draw(record)
            progress.end()
            show_record(record)
        except NotEnded as error:
            progress.end()
            say(f"order {order_id} did not end in {seconds:g} s: {error}")
            stuck += 1
    return 1 if stuck else 0


def _count(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    """Place the orders many at once, print each final record, and count how they ended."""
    summary, stuck = OrderSummary(), 0
    for placed, ended in orders.ended_at_once([one for _, one in requests], seconds):
        if isinstance(ended, NotEnded):
            say(f"order {placed} did not end in {seconds:g} s: {ended}")
            stuck += 1
        else:
            show_record(ended)
            summary.add(ended)
    summary.show()
    return 1 if stuck else 0


def _show_errors(call: argparse.Namespace) -> None:
    """Show which functions of a local environment do not start, and the errors they logged."""
    running = None if call.api_url else environment.find(call.home, call.prefix)
    if running is None:
        return
    logged = errors(running.endpoint, SERVICES, running.prefix)
    for line in [*startup_failures(running.endpoint, running.prefix), *logged]:
        say(line)


def _order_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("order_id", type=order_id, metavar="ID")
    add_api_url(parser)


def order(call: argparse.Namespace) -> int:
    """Show one order: its steps and its record."""
    with _orders(call) as orders:
        record = orders.find(call.order_id)
    progress = OrderProgress("")
    progress.draw(record)
    progress.end()
    show_record(record)
    return 0


def _stock_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sku", nargs="?", type=text, metavar="SKU")
    parser.add_argument("units", nargs="?", type=units, metavar="UNITS")
    add_aws(parser)


def stock(call: argparse.Namespace) -> int:
    """Show or set the units per SKU."""
    clients = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    inventory = Stock(clients)
    if call.units is not None:
        before = inventory.set({call.sku: call.units})[call.sku]
        if call.aws:
            had = "which was not there before" if before is None else f"which had {before}"
            say(f"Set the units of {call.sku}, {had}, in {clients.where}:")
    if call.sku is None:
        for sku, available in sorted(inventory.all().items()):
            say(f"{sku:<20} {available}")
        return 0
    found = inventory.units(call.sku)
    if found is None:
        aws = " --aws" if call.aws else ""
        raise UserError(
            f"The inventory has no {call.sku}: `saga stock {call.sku} 10{aws}` adds ten."
        )
    say(f"{call.sku:<20} {found}")
    return 0


def _orders(call: argparse.Namespace) -> Orders:
    if call.api_url:
        elsewhere = not is_on_this_machine(call.api_url)
        token = os.environ.get("SAGA_TOKEN")
        return Orders(call.api_url, configured=elsewhere, token=token)
    return Orders(environment.require(call.home, call.prefix).api_url)


COMMANDS = (
    Command(trigger, _trigger_options, acts=True),
    Command(order, _order_options),
    Command(stock, _stock_options),
)

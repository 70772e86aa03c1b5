"""The commands of `saga`, and what they print."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from rich.text import Text

from harness import emulator, environment, flow, images
from harness.deploy import SERVICES, ailments, synthesize
from harness.emulator import ROOT
from harness.failures import HOLD_SECONDS, Held, Message, hold
from harness.flow.check import check as check_flow
from harness.flow.files import documents
from harness.flow.flow import Flow
from harness.flow.read import find as find_flow
from harness.flow.read import read as read_flow
from harness.logs import errors as log_errors
from harness.logs import lines as read_logs
from harness.orders import SCENARIOS, NotEnded, Orders, Request
from harness.resume import resume_all
from harness.terminal import Progress, Tracing, Way, console, milliseconds, show, waiting
from harness.trace import PATIENCE, StoredOrders, Trace
from harness.trace import trace as trace_order
from harness.trouble import Trouble

FOLLOW_SECONDS = 0.2
AT_ONCE = 16  # orders placed at the same time
DRAWN = 9  # up to so many orders are drawn one by one


def main(arguments: list[str]) -> int:
    """Run one command; answers the exit code: 0, 1 for trouble, 2 for a wrong call."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except Trouble as trouble:
        print(f"\nsaga: {trouble}" if console.is_terminal else f"saga: {trouble}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        if not getattr(parsed, "aws", False):
            raise
        # Expired credentials, a missing permission: what AWS says of it is for the person.
        print(f"saga: AWS refuses: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does: so may we.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        emulator.stop_children()


def up(call: argparse.Namespace) -> int:
    """Start the environment; stay with it until Ctrl-C unless told to detach."""
    running = environment.find(call.home)
    if running:
        stop = "saga down" if running.emulator else "docker compose down"
        console.print(f"Running already: {running.api_url} (`{stop}` stops it)")
        return 0
    progress = Progress()
    started, process = environment.up(call.home, call.port, progress)
    progress.done()
    console.print(f"\nThe orders' API: {started.api_url}")
    console.print("Place orders:    ./saga trigger --scenario all")
    if call.detach:
        console.print("Stop it:         ./saga down")
        emulator.detach(process)
        return 0
    console.print("Stop it:         Ctrl-C")
    try:
        while process.lives():
            time.sleep(0.5)
        if not environment.was_stopped(call.home):
            raise Trouble(f"The emulator ended by itself: {emulator.last_line(call.home)}")
        console.print("Stopped by `saga down`.")
        return 0
    finally:
        environment.down(call.home)


def furnish(call: argparse.Namespace) -> int:
    """Deploy everything to an emulator that runs already, functions as images, and stock it."""
    trouble = images.engine_trouble()
    if trouble:
        raise Trouble(trouble)
    progress = Progress()
    furnished = environment.furnish(call.endpoint, progress, as_images=True)
    progress.done()
    seen = furnished.api_url.replace(call.endpoint, call.seen_as or call.endpoint)
    console.print(f"\nThe orders' API: {seen}")
    console.print("Place orders:    ./saga trigger --scenario all")
    return 0


def build(call: argparse.Namespace) -> int:
    """Build the images of these services, or of all."""
    trouble = images.engine_trouble()
    if trouble:
        raise Trouble(trouble)
    progress = Progress()
    progress("Synthesizing the CDK app")
    assembly = synthesize(environment.HOME)
    images.build_missing(assembly, environment.known(call.services) or SERVICES, progress)
    progress.done()
    return 0


def down(call: argparse.Namespace) -> int:
    """Stop the environment."""
    running = environment.find(call.home)
    if running and running.emulator is None:
        raise Trouble("It runs in docker compose: stop it by `docker compose down`.")
    console.print("Stopped." if environment.down(call.home) else "Nothing was running.")
    return 0


def deploy(call: argparse.Namespace) -> int:
    """Deploy one service, or all."""
    progress = Progress()
    environment.deploy_again(call.home, call.services, progress)
    progress.done()
    return 0


def trigger(call: argparse.Namespace) -> int:
    """Place orders and follow each to its end."""
    with Orders(_api_url(call)) as orders:
        try:
            code = _trigger(orders, _requests(call), call.timeout)
        except Trouble:
            _show_errors(call)
            raise
    if code:
        _show_errors(call)
    return code


def demo(call: argparse.Namespace) -> int:
    """Start, run the three scenarios, stop: in a home of its own, beside whatever else runs."""
    home = call.home / "demo"
    environment.down(home)
    progress = Progress()
    begun = time.monotonic()
    started, _ = environment.up(home, None, progress)
    progress.done()
    try:
        console.print(f"\nThree orders to {started.api_url}\n")
        with Orders(started.api_url) as orders:
            code = _trigger(orders, list(SCENARIOS.items()), seconds=60)
    finally:
        environment.down(home)
    console.print(f"\nStopped. All of it took {time.monotonic() - begun:.1f} s.")
    return code


def order(call: argparse.Namespace) -> int:
    """Show one order: its way and its record."""
    with Orders(_api_url(call)) as orders:
        record = orders.find(call.order_id)
    way = Way("")
    way.draw(record)
    way.end()
    show(record)
    return 0


def trace(call: argparse.Namespace) -> int:
    """Show an order's way along the map and what it waits for, or all that are on their way."""
    if bool(call.order_id) == call.open:
        raise Trouble("Name one order, or say --open for all that are on their way.")
    stored = StoredOrders(environment.clients(call.home, on_aws=call.aws))
    if call.open:
        return _trace_open(stored, call)
    drawing = Tracing()
    seen = -1
    while True:
        found = _traced(stored.find(call.order_id), call)
        if call.json and len(found.steps) > seen:
            console.print(Text(msgspec.json.encode(found).decode()))
        elif not call.json:
            drawing.draw(found)
        seen = len(found.steps)
        if not (call.follow and found.waits_for):
            break
        time.sleep(FOLLOW_SECONDS)
    if not call.json:
        drawing.end(found)
    return 0


def stock(call: argparse.Namespace) -> int:
    """Show or set the units per SKU."""
    shelves = environment.require(call.home).stock
    if call.units is not None:
        shelves.fill({call.sku: call.units})
    if call.sku is None:
        for sku, available in sorted(shelves.all().items()):
            console.print(f"{sku:<20} {available}")
        return 0
    units = shelves.units(call.sku)
    if units is None:
        raise Trouble(f"The inventory knows no {call.sku}: `saga stock {call.sku} 10` stocks ten.")
    console.print(f"{call.sku:<20} {units}")
    return 0


def resume(call: argparse.Namespace) -> int:
    """Say again what was last said of every open order, also of those given up."""
    chosen = environment.clients(call.home, on_aws=call.aws)
    for report in resume_all(chosen.client("lambda")):
        console.print(f"{report['resumedOrders']} of {report['overdueOrders']} open orders resumed")
    return 0


def ui(call: argparse.Namespace) -> int:
    """Serve a page that shows the saga live, to watch and to play with."""
    if call.aws:
        raise Trouble("The page watches an environment of this machine: on AWS it is not offered.")
    # No other command waits for a web server to be imported, or needs one to be installed.
    try:
        from harness.ui import server
    except ModuleNotFoundError as error:
        raise Trouble(
            f"{error.name} is not installed here: run `./saga ui` beside the containers."
        ) from error

    def tell(url: str) -> None:
        console.print(f"Watch it: {url}")
        console.print("Stop it:  Ctrl-C")

    server.run(call.home, call.port, call.overdue, tell)
    return 0


def logs(call: argparse.Namespace) -> int:
    """Show what the functions logged, of one service or of all."""
    running = environment.require(call.home)
    services = environment.known(call.services) or SERVICES
    for service, line in read_logs(running.endpoint, services):
        console.print(Text(f"{service:<18} {line}"))
    return 0


def failures(call: argparse.Namespace) -> int:
    """List what failed and waits in the services' failure queues."""
    with _hold(call) as held:
        found = _wanted(held.messages, call.order)
    # Printed when others can see it all again: who pages through this may take an hour.
    for message in found:
        console.print(Text(_as_json(message) if call.json else _as_line(message)))
    if not call.json:
        kinds = Counter(message.failure.kind for message in found)
        console.print(f"{kinds['transient']} transient, {kinds['poison']} poison.")
    _tell_of_the_rest(held)
    return 0


def redrive(call: argparse.Namespace) -> int:
    """Give what failed to its service once more; poison stays, unless told otherwise."""
    put_back = stayed = 0
    with _hold(call) as held:
        for message in _wanted(held.messages, call.order):
            reason = _put_back(held, message, call)
            put_back, stayed = put_back + (not reason), stayed + bool(reason)
            done = f"stays, {reason}" if reason else _PUT_BACK[call.dry_run]
            console.print(Text(f"{_event(message)}  {done}"))
    console.print(f"{put_back} {_PUT_BACK[call.dry_run]}, {stayed} {_STAY[call.dry_run]}.")
    all_done = _tell_of_the_rest(held)
    return 0 if all_done and not stayed else 1


def draw(call: argparse.Namespace) -> int:
    """Check the flow of events, as declared, coded and deployed, and draw it into docs/flow/."""
    progress = Progress()
    progress("Synthesizing the CDK app")
    assembly = synthesize(environment.HOME)
    progress.done()
    begun = time.monotonic()
    found = find_flow(assembly)
    flow = read_flow(found)
    findings = check_flow(flow)
    for finding in findings:
        console.print(Text(finding))
    if findings:
        raise Trouble(f"The flow is not consistent: {len(findings)} as above. Nothing is written.")
    texts = documents(flow, found.contracts)
    changed = [
        path for path, text in texts.items() if not path.exists() or path.read_text() != text
    ]
    names = ", ".join(str(path.relative_to(ROOT)) for path in changed)
    if changed and call.check:
        raise Trouble(f"Out of date: {names}. `saga map` writes them.")
    for path in changed:
        path.parent.mkdir(exist_ok=True)
        path.write_text(texts[path])
    console.print(
        f"{_counted(flow)}: consistent. {f'Wrote {names}.' if changed else 'Nothing to write.'} "
        f"[dim]{time.monotonic() - begun:.2f} s[/dim]"
    )
    return 0


def _counted(flow: Flow) -> str:
    beside = sum(service.repeats for service in flow.services)
    counts = {
        "services": len(flow.services) - beside,
        "events": len(flow.events),
        "statuses": len(flow.statuses),
        "rules": len(flow.rules),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _trigger(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    return (_draw if len(requests) <= DRAWN else _count)(orders, requests, seconds)


def _draw(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    """Place the orders one after the other, and draw each one's way as it happens."""
    stuck = 0
    for label, request in requests:
        way = Way(label)
        order_id = orders.place(request)
        try:
            for record in orders.follow(order_id, seconds):
                way.draw(record)
            way.end()
            show(record)
        except NotEnded as error:
            way.end()
            console.print(f"order {order_id} did not end in {seconds:g} s: {error}")
            stuck += 1
    return 1 if stuck else 0


def _count(orders: Orders, requests: list[tuple[str, Request]], seconds: float) -> int:
    """Place the orders many at once, print each final record, and count how they ended."""
    ends: Counter[str] = Counter()
    took: dict[str, list[float]] = {}
    stuck = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(lambda labelled: orders.place(labelled[1]), requests))
        waiting = {pool.submit(orders.ended, order_id, seconds): order_id for order_id in ids}
        for done in as_completed(waiting):
            try:
                record = done.result()
            except NotEnded as error:
                console.print(f"order {waiting[done]} did not end in {seconds:g} s: {error}")
                stuck += 1
                continue
            show(record)
            ends[record["status"]] += 1
            first, last = record["history"][0], record["history"][-1]
            took.setdefault(record["status"], []).append(milliseconds(first, last))
    for status, count in ends.most_common():
        console.print(f"{count} {status}, median {statistics.median(took[status]):.0f} ms")
    return 1 if stuck else 0


def _traced(item: dict[str, Any], call: argparse.Namespace) -> Trace:
    patience = timedelta(seconds=call.overdue)
    return trace_order(item, flow.load(), datetime.now(UTC), patience)


def _trace_open(stored: StoredOrders, call: argparse.Namespace) -> int:
    """List the orders on their way, oldest first."""
    found = [_traced(item, call) for item in stored.open(call.most)]
    for one in found:
        if call.json:
            console.print(Text(msgspec.json.encode(one).decode()))
        elif one.waits_for:
            age = _age(datetime.now(UTC) - one.steps[0].at)
            told = f"{age:>6}  {one.order_id}  {one.status:<19}"
            console.print(Text(f"{told} waits for {waiting(one.waits_for)}"))
    if not call.json:
        overdue = sum(one.waits_for.overdue for one in found if one.waits_for)
        more = " or more" if len(found) == call.most else ""
        console.print(f"{len(found)}{more} on their way, {overdue} overdue.")
    return 0


def _show_errors(call: argparse.Namespace) -> None:
    """Show what is wrong with the functions of a local environment, and what they logged of it."""
    running = None if call.api_url else environment.find(call.home)
    if running is None:
        return
    logged = log_errors(running.endpoint, SERVICES)
    for said in [*ailments(running.endpoint), *logged]:
        console.print(Text(said))


_PUT_BACK = {False: "put back", True: "would be put back"}
_STAY = {False: "stayed", True: "would stay"}


def _hold(call: argparse.Namespace) -> AbstractContextManager[Held]:
    clients = environment.clients(call.home, on_aws=call.aws)
    return hold(clients, [call.service] if call.service else SERVICES)


def _wanted(messages: list[Message], order_id: str | None) -> list[Message]:
    return [one for one in messages if order_id is None or one.failure.order_id == order_id]


def _put_back(held: Held, message: Message, call: argparse.Namespace) -> str | None:
    """Put one event back, or only tell; answers why it stays, or None."""
    if message.failure.kind == "poison" and not call.poison:
        return f"poison: {message.failure.reason}"
    if call.dry_run:
        return None
    if held.is_over:
        return "out of time: run this again"
    try:
        held.put_back(message)
    except (BotoCoreError, ClientError) as error:
        return f"refused: {error}"
    return None


def _tell_of_the_rest(held: Held) -> bool:
    """Say what could not be read; answers whether that was nothing."""
    if not held.read_all:
        print("saga: More waits than could be read at once: run this again.", file=sys.stderr)
        return False
    if held.elsewhere:
        print(
            f"saga: About {held.elsewhere} more are held by someone who reads them too: "
            f"look again in {HOLD_SECONDS // 60} minutes.",
            file=sys.stderr,
        )
        return False
    return True


def _event(message: Message) -> str:
    failure = message.failure
    return f"{message.service:<18} {failure.event or '?':<18} {failure.order_id or '?':<36}"


def _as_line(message: Message) -> str:
    failure, age = message.failure, datetime.now(UTC) - message.since
    return f"{_event(message)}  {failure.kind:<9}  {_age(age):>6}  {failure.reason}"


def _as_json(message: Message) -> str:
    failure = message.failure
    return json.dumps(
        {
            "service": message.service,
            "event": failure.event,
            "orderId": failure.order_id,
            "kind": failure.kind,
            "reason": failure.reason,
            "since": message.since.isoformat(timespec="seconds"),
            "messageId": message.message_id,
        }
    )


def _age(age: timedelta) -> str:
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _requests(call: argparse.Namespace) -> list[tuple[str, Request]]:
    """Build the orders to place: of the scenarios named, changed by the options given."""
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


def _api_url(call: argparse.Namespace) -> str:
    return str(call.api_url or environment.require(call.home).api_url)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"give 1 or more, not {number}")
    return number


def _units(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"give 0 or more, not {number}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"give more than 0, not {text}")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"give 1 to 65535, not {number}")
    return number


def _spelt(service: str) -> str:
    return service.replace("-", "_")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="saga", description="Run the order saga on this machine, and order from it."
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=environment.HOME,
        help="where the environment keeps its files: another home is another environment",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Any], int]) -> argparse.ArgumentParser:
        text = (command.__doc__ or "").rstrip(".")
        added = commands.add_parser(name, help=text[0].lower() + text[1:], description=text)
        added.set_defaults(command=command)
        return added

    parse = add("up", up)
    parse.add_argument("--port", type=_port, help="the emulator's port (default: a free one)")
    parse.add_argument("--detach", action="store_true", help="leave it running and return")
    add("down", down)
    parse = add("deploy", deploy)
    parse.add_argument("services", nargs="*", metavar="SERVICE", help=", ".join(SERVICES))
    parse = add("build", build)
    parse.add_argument("services", nargs="*", metavar="SERVICE", help=", ".join(SERVICES))
    parse = add("furnish", furnish)
    parse.add_argument("endpoint", metavar="URL", help="of the emulator")
    parse.add_argument("--seen-as", metavar="URL", help="what to call it when telling of it")
    parse = add("logs", logs)
    parse.add_argument("services", nargs="*", metavar="SERVICE", help=", ".join(SERVICES))
    parse = add("trigger", trigger)
    parse.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="happy")
    parse.add_argument("--sku")
    parse.add_argument("--customer")
    parse.add_argument("--quantity", type=int)
    parse.add_argument("--amount", type=int, metavar="CENTS")
    parse.add_argument("--count", type=_positive, default=1, help="how many of each")
    parse.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for each")
    parse.add_argument("--api-url", help="of another environment, on AWS say")
    parse = add("order", order)
    parse.add_argument("order_id", metavar="ID")
    parse.add_argument("--api-url", help="of another environment, on AWS say")
    parse = add("trace", trace)
    parse.add_argument("order_id", nargs="?", metavar="ID")
    parse.add_argument("--open", action="store_true", help="all on their way, oldest first")
    parse.add_argument("--most", type=_positive, default=50, help="list so many (default: 50)")
    parse.add_argument("--follow", action="store_true", help="stay with it until it has ended")
    parse.add_argument("--json", action="store_true", help="for machines, a line each")
    parse.add_argument("--aws", action="store_true", help="on AWS, by your credentials")
    parse.add_argument(
        "--overdue",
        type=float,
        default=PATIENCE.total_seconds(),
        metavar="SECONDS",
        help="standing still for longer is overdue (default: the sweep's patience)",
    )
    parse = add("stock", stock)
    parse.add_argument("sku", nargs="?", metavar="SKU")
    parse.add_argument("units", nargs="?", type=_units, metavar="UNITS")
    listed, parse = add("failures", failures), add("redrive", redrive)
    for either in (listed, parse):
        either.add_argument("--service", type=_spelt, choices=SERVICES, help="of this one only")
        either.add_argument("--order", metavar="ID", help="of this order only")
        either.add_argument("--aws", action="store_true", help="on AWS, by your credentials")
    listed.add_argument("--json", action="store_true", help="one JSON object per line")
    parse.add_argument("--dry-run", action="store_true", help="only tell what would be put back")
    parse.add_argument("--poison", action="store_true", help="poison too: for a corrected service")
    parse = add("resume", resume)
    parse.add_argument("--aws", action="store_true", help="on AWS, by your credentials")
    parse = add("map", draw)
    parse.add_argument("--check", action="store_true", help="write nothing; fail if it is not so")
    parse = add("ui", ui)
    parse.add_argument("--port", type=_port, help="the page's port (default: a free one)")
    parse.add_argument(
        "--overdue",
        type=_seconds,
        default=10,
        metavar="SECONDS",
        help="an order that stands still for longer is overdue (default: 10)",
    )
    parse.add_argument("--aws", action="store_true", help="not offered: the page is local")
    add("demo", demo)
    return parser

"""Deal with failures: list and redrive the failure queues, resume the open orders."""

from __future__ import annotations

import argparse
from collections import Counter
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from harness import connect, environment
from harness.commands.command import Command, add_aws, order_id
from harness.failures import LEASE_SECONDS, QueueLease, lease
from harness.redrive import redrive as redrive_messages
from harness.redrive import wanted
from harness.resume import resume_all
from harness.saga import SERVICES
from harness.terminal import complain, failure_json, failure_line, failure_name, say, say_json


def _queue_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--service",
        type=lambda service: service.replace("-", "_"),
        choices=SERVICES,
        help="of this one only",
    )
    parser.add_argument("--order", type=order_id, metavar="ID", help="of this order only")
    add_aws(parser)


def _failures_options(parser: argparse.ArgumentParser) -> None:
    _queue_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def failures(call: argparse.Namespace) -> int:
    """List what failed and is in the services' failure queues."""
    with _lease(call) as leased:
        found = wanted(leased, call.order)
    # Printed after the release, because a person may page through this for an hour.
    now = datetime.now(UTC)
    for message in found:
        if call.json:
            say_json(failure_json(message))
        else:
            say(failure_line(message, now))
    if not call.json:
        kinds = Counter(message.failure.kind for message in found)
        say(f"{kinds['transient']} transient, {kinds['poison']} poison.")
    _report_unread(leased)
    return 0


def _redrive_options(parser: argparse.ArgumentParser) -> None:
    _queue_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="only show what would be redriven")
    parser.add_argument("--poison", action="store_true", help="poison too: for a corrected service")


def redrive(call: argparse.Namespace) -> int:
    """Send what failed to its service once more; poison stays, unless --poison is given."""
    done = "would be redriven" if call.dry_run else "redriven"
    stay = "would stay" if call.dry_run else "stayed"
    redriven = stayed = 0
    with _lease(call) as leased:
        for one in redrive_messages(
            leased, order_id=call.order, poison=call.poison, dry_run=call.dry_run
        ):
            redriven, stayed = redriven + (not one.stays), stayed + bool(one.stays)
            result = f"stays, {one.stays}" if one.stays else done
            say(f"{failure_name(one.message)}  {result}")
    say(f"{redriven} {done}, {stayed} {stay}.")
    all_read = _report_unread(leased)
    return 0 if all_read and not stayed else 1


def _lease(call: argparse.Namespace) -> AbstractContextManager[QueueLease]:
    clients = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    return lease(clients, [call.service] if call.service else SERVICES)


def _report_unread(leased: QueueLease) -> bool:
    """Print what could not be read; return whether that was nothing."""
    if not leased.read_all:
        complain("The queues have more than one run reads: run this again.")
        return False
    if leased.elsewhere:
        complain(
            f"About {leased.elsewhere} more are leased by someone else: "
            f"look again in {LEASE_SECONDS // 60} minutes."
        )
        return False
    return True


def resume(call: argparse.Namespace) -> int:
    """Publish again the last event of every open order, also of those given up."""
    chosen = environment.clients(call.home, on_aws=call.aws, prefix=call.prefix)
    resumed = failed = 0
    for report in resume_all(chosen.client("lambda", connect.ONE_RUN), call.prefix):
        resumed, failed = resumed + report["resumedOrders"], failed + report["failedOrders"]
        if report["next"]:
            say(f"{resumed} open orders resumed, and more to come")
        for failure in report["failures"]:
            complain(failure)
    say(f"{resumed} open orders resumed, {failed} failed.")
    return int(failed > 0)


COMMANDS = (
    Command(failures, _failures_options),
    Command(redrive, _redrive_options, acts=True),
    Command(resume, add_aws, acts=True),
)

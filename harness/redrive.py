"""The redrive policy: which failures are sent to their service once more, and which stay.

Used by `saga redrive` and by the page, so that both do the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from harness.failures import Message, QueueLease


class Redriven(Struct, frozen=True):
    """What became of one message: redriven, or the reason why it stays."""

    message: Message
    stays: str | None = None


def redrive(
    leased: QueueLease,
    *,
    order_id: str | None = None,
    poison: bool = False,
    dry_run: bool = False,
) -> Iterator[Redriven]:
    """Redrive the leased messages, of one order or of all, and yield what became of each.

    Poison stays unless `poison` is set, because only a corrected service can process it. A message
    that cannot be sent stays, and the others are still redriven. A `dry_run` sends none.
    """
    for message in wanted(leased, order_id):
        yield Redriven(message, _stays(leased, message, poison=poison, dry_run=dry_run))


def wanted(leased: QueueLease, order_id: str | None) -> list[Message]:
    """Return the leased messages of one order, or all."""
    return [one for one in leased.messages if order_id in (None, one.failure.order_id)]


def _stays(leased: QueueLease, message: Message, *, poison: bool, dry_run: bool) -> str | None:
    if message.failure.kind == "poison" and not poison:
        return f"poison: {message.failure.reason}"
    if dry_run:
        return None
    if leased.is_over:
        return "out of time: run this again"
    try:
        leased.redrive(message)
    except (BotoCoreError, ClientError) as error:
        return f"refused: {error}"
    return None

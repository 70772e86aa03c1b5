"""Trace an order through the flow: its steps, what it waits for, and whether that is overdue.

Read from what is stored with the order: no service writes anything for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer

from harness.environment import Clients
from harness.errors import UserError
from harness.flow.flow import Flow, Transition
from harness.names import table_name
from plumbing.step import format_timestamp
from plumbing.untrusted import decode_json
from resume_orders.orders import GIVEN_UP, OPEN, PARTITIONS
from resume_orders.resume_orders import STALLED_AFTER

Item = dict[str, Any]

# Makes the steps that this release's flow does not have.
OTHER_RELEASE = "another release"


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A step of an order: the service, what it consumed, what it published, and the time waited."""

    status: str
    at: datetime
    service: str
    consumed: str | None
    published: str | None
    waited_milliseconds: int | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an order waits for: the service that consumes an event, published first at `since`.

    Each time that the sweep publishes the event again is one more attempt. The sweep looks at the
    order again at `next_attempt_at`, and no more when it `gave_up`.
    """

    service: str
    event: str
    since: datetime
    seconds: float
    overdue: bool
    attempt: int
    next_attempt_at: datetime | None
    gave_up: bool


class Trace(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The steps of one order, and what was compensated and why."""

    order_id: str
    status: str
    trace_id: str
    steps: Sequence[Step]
    waits_for: Waiting | None = None
    compensated: str | None = None
    because: str | None = None


class Unreadable(UserError):
    """A stored order cannot be read as one; the message says why."""


def trace(item: Item, flow: Flow, now: datetime, overdue_after: timedelta = STALLED_AFTER) -> Trace:
    """Trace a stored order through the flow; raises Unreadable."""
    try:
        return _trace(item, flow, now, overdue_after)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(
            f"What is stored of order {item.get('orderId')} cannot be read "
            f"({type(error).__name__}: {error}): see the item in the table of orders."
        ) from error


def _trace(item: Item, flow: Flow, now: datetime, overdue_after: timedelta) -> Trace:
    steps = list(_steps(item["history"], flow))
    last = steps[-1]
    compensated = [
        service.compensates
        for step in steps
        for service in flow.services
        if service.name == step.service and service.compensates
    ]
    event = decode_json(item["outbox"]["detail"])
    return Trace(
        order_id=item["orderId"],
        status=item["status"],
        trace_id=event["traceparent"].split("-")[1],
        steps=steps,
        waits_for=_waiting(item, flow, last, now, overdue_after),
        compensated=compensated[0] if compensated else None,
        because=item.get("failureReason"),
    )


def _steps(history: Sequence[Mapping[str, str]], flow: Flow) -> Iterator[Step]:
    before: Step | None = None
    for entry in history:
        at = datetime.fromisoformat(entry["at"])
        made = _transition(flow, before.status if before else None, entry["status"])
        before = Step(
            status=entry["status"],
            at=at,
            service=made.service,
            consumed=made.consumes,
            published=made.publishes,
            waited_milliseconds=round((at - before.at) / timedelta(milliseconds=1))
            if before
            else None,
        )
        yield before


def _transition(flow: Flow, start: str | None, to: str) -> Transition:
    for transition in flow.leaving(start):
        if transition.to == to:
            return transition
    return Transition(start=start, to=to, service=OTHER_RELEASE, consumes=None, publishes=None)


def _waiting(
    item: Item, flow: Flow, last: Step, now: datetime, overdue_after: timedelta
) -> Waiting | None:
    onward = flow.leaving(last.status)
    if not onward and "openShard" not in item:
        return None
    deferred = item.get("nextAttemptAt")
    return Waiting(
        service=onward[0].service if onward else OTHER_RELEASE,
        event=item["outbox"]["detailType"],
        since=last.at,
        seconds=round((now - last.at).total_seconds(), 3),
        overdue=now - last.at > overdue_after,
        attempt=1 + int(item.get("resumes", 0)),
        next_attempt_at=datetime.fromisoformat(deferred) if deferred else None,
        gave_up=item.get("openShard") == GIVEN_UP,
    )


class StoredOrders:
    """The stored orders of an environment, or of a deployment on AWS, to look at."""

    def __init__(self, clients: Clients) -> None:
        self._client = clients.client("dynamodb")
        self._table = table_name("orders", clients.prefix)

    def find(self, order_id: str) -> Item:
        """Return what is stored of an order; raises UserError when there is nothing."""
        response = self._client.get_item(
            TableName=self._table, Key={"orderId": {"S": order_id}}, ConsistentRead=True
        )
        if "Item" not in response:
            raise UserError(
                f"There is no order {order_id}: `saga trace --open` lists those in progress."
            )
        return _plain(response["Item"])

    def open(self, limit: int, before: datetime | None = None) -> list[Item]:
        """Return the orders that have not ended, oldest first, at most `limit`.

        Only those that were created before then, if that is given. Reads the index of open orders,
        and then each of these by its key; scans nothing.
        """
        shards = (self._oldest(shard, limit, before) for shard in PARTITIONS)
        found: list[Item] = []
        for _, order_id in heapq.merge(*shards):
            response = self._client.get_item(
                TableName=self._table, Key={"orderId": {"S": order_id}}, ConsistentRead=True
            )
            # It may have ended since the index was read: then the next one counts.
            if "openShard" in response.get("Item", {}):
                found.append(_plain(response["Item"]))
            if len(found) == limit:
                break
        return found

    def _oldest(self, shard: str, limit: int, before: datetime | None) -> Iterator[tuple[str, str]]:
        """Yield when each order of a shard was created, and its id; a page is read when needed."""
        until = format_timestamp(before or datetime.max.replace(tzinfo=UTC))
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=OPEN,
            KeyConditionExpression="openShard = :shard AND createdAt < :until",
            ExpressionAttributeValues={":shard": {"S": shard}, ":until": {"S": until}},
            PaginationConfig={"PageSize": limit},
        )
        for page in pages:
            for key in page["Items"]:
                yield key["createdAt"]["S"], key["orderId"]["S"]


def _plain(attributes: Mapping[str, Any]) -> Item:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in attributes.items()}

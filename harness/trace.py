"""Where an order is on the map: how it came there, what it waits for, and whether that is late.

Read from what is stored with the order: no service writes a line for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from boto3.dynamodb.types import TypeDeserializer

from harness.deploy import PREFIX
from harness.environment import Clients
from harness.flow.flow import Flow, Transition
from harness.trouble import Trouble
from plumbing.step import SHARDS

TABLE = f"{PREFIX}-orders"
# The index of open orders, and the partition of those that the sweep gave up.
INDEX, GIVEN_UP = "open", "given-up"

# The sweep's own patience: what stands still for longer is late, or lost.
PATIENCE = timedelta(minutes=4)

Item = dict[str, Any]


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A step that an order made: who made it, on hearing what, how long after the one before."""

    status: str
    at: datetime
    service: str
    heard: str | None
    said: str | None
    waited_milliseconds: int | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an order waits for: a service that hears an event, said first at `since`.

    Each time that the sweep says the event again is one more attempt; it looks at the order again
    when it is `due`, and no more when it `gave_up`.
    """

    service: str
    event: str
    since: datetime
    seconds: float
    overdue: bool
    attempt: int
    due: datetime | None
    gave_up: bool


class Trace(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One order's way along the map, and what was compensated of it and why."""

    order_id: str
    status: str
    trace_id: str
    steps: Sequence[Step]
    waits_for: Waiting | None = None
    compensated: str | None = None
    because: str | None = None


def trace(item: Item, flow: Flow, now: datetime, patience: timedelta = PATIENCE) -> Trace:
    """Follow a stored order along the map."""
    steps = list(_steps(item["history"], flow))
    last = steps[-1]
    undone = [
        service.compensates
        for step in steps
        for service in flow.services
        if service.name == step.service and service.compensates
    ]
    event = msgspec.json.decode(item["event"]["detail"])
    return Trace(
        order_id=item["orderId"],
        status=item["status"],
        trace_id=event["traceparent"].split("-")[1],
        steps=steps,
        waits_for=_waiting(item, flow, last, now, patience),
        compensated=undone[0] if undone else None,
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
            heard=made.hears,
            said=made.says,
            waited_milliseconds=round((at - before.at) / timedelta(milliseconds=1))
            if before
            else None,
        )
        yield before


def _transition(flow: Flow, start: str | None, to: str) -> Transition:
    for transition in flow.leaving(start):
        if transition.to == to:
            return transition
    raise Trouble(f"The map knows no way from {start} to {to}: write it anew by `saga map`.")


def _waiting(
    item: Item, flow: Flow, last: Step, now: datetime, patience: timedelta
) -> Waiting | None:
    onward = flow.leaving(last.status)
    if not onward:
        return None
    due = item.get("due")
    return Waiting(
        service=onward[0].service,
        event=item["event"]["detailType"],
        since=last.at,
        seconds=round((now - last.at).total_seconds(), 3),
        overdue=now - last.at > patience,
        attempt=1 + int(item.get("resumes", 0)),
        due=datetime.fromisoformat(due) if due else None,
        gave_up=item.get("openShard") == GIVEN_UP,
    )


class StoredOrders:
    """The stored orders of an environment, or of a deployment on AWS, to look at."""

    def __init__(self, clients: Clients) -> None:
        self._client = clients.client("dynamodb")

    def find(self, order_id: str) -> Item:
        """Answer what is stored of an order; raises Trouble when there is nothing."""
        answer = self._client.get_item(
            TableName=TABLE, Key={"orderId": {"S": order_id}}, ConsistentRead=True
        )
        if "Item" not in answer:
            raise Trouble(
                f"There is no order {order_id}: `saga trace --open` lists those on their way."
            )
        return _plain(answer["Item"])

    def open(self, most: int) -> list[Item]:
        """Answer the orders that have not ended, oldest first, the oldest so many of them.

        Reads the index of open orders, and then each of these by its key; scans nothing.
        """
        keys = sorted(
            (key["createdAt"]["S"], key["orderId"]["S"])
            for shard in (*SHARDS, GIVEN_UP)
            for key in self._oldest(shard, most)
        )
        found = [
            self._client.get_item(
                TableName=TABLE, Key={"orderId": {"S": order_id}}, ConsistentRead=True
            )
            for _, order_id in keys[:most]
        ]
        # One may have ended since the index was read.
        items = [_plain(answer["Item"]) for answer in found if "Item" in answer]
        return [item for item in items if "openShard" in item]

    def _oldest(self, shard: str, most: int) -> list[Item]:
        answer = self._client.query(
            TableName=TABLE,
            IndexName=INDEX,
            KeyConditionExpression="openShard = :shard",
            ExpressionAttributeValues={":shard": {"S": shard}},
            Limit=most,
        )
        items: list[Item] = answer["Items"]
        return items


def _plain(attributes: Mapping[str, Any]) -> Item:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in attributes.items()}

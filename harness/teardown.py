"""Remove a deployment: its stacks, the door first, and then what they leave behind.

Everything is found by its name, and nothing whose name is not one of this deployment's is touched:
`shop` never removes `shop-eu`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from harness import flow
from harness.environment import Clients
from harness.errors import UserError
from harness.names import stack_name, table_name
from harness.saga import DOORS, SERVICES, SWEEPS
from harness.trace import StoredOrders

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

MONITORING, PLATFORM = "monitoring", "platform"
# The door first, so that no order comes in that would not end; then whoever needs the others least.
ORDER = (
    *DOORS,
    MONITORING,
    *(one for one in SERVICES if one not in (*DOORS, *SWEEPS)),
    *SWEEPS,
    PLATFORM,
)
TABLES = ("orders", "inventory")
COUNTED = 100  # open orders are counted up to here
STACK_SECONDS = 1800
# How long to wait between two looks at a stack, on AWS and on an emulator.
AWS_SECONDS, EMULATOR_SECONDS = 3, 0.05

Report = Callable[[str], None]


class Stack(msgspec.Struct, frozen=True):
    """A stack that is there."""

    name: str
    id: str
    status: str


class Held(msgspec.Struct, frozen=True):
    """What a removal would strand: the orders that are open, and the messages in each queue."""

    orders: int
    messages: dict[str, int]

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.orders or self.messages)

    def __str__(self) -> str:
        orders = f"{self.orders}{' or more' if self.orders == COUNTED else ''} open orders"
        messages = [f"{count} messages in {queue}" for queue, count in self.messages.items()]
        return ", ".join([orders] * bool(self.orders) + messages)


class Left(msgspec.Struct, frozen=True):
    """The tables and failure queues of a deployment that are there."""

    tables: list[str]
    queues: list[str]


class Removal:
    """What is removed: one service's stack, or the whole deployment."""

    def __init__(self, clients: Clients, only: str | None = None) -> None:
        self._clients, self._prefix, self._only = clients, clients.prefix, only
        self._cloudformation: CloudFormationClient = clients.client("cloudformation")
        self._dynamodb, self._sqs = clients.client("dynamodb"), clients.client("sqs")
        if only == PLATFORM:
            raise UserError("All services need the platform: it goes with them, without --only.")
        there = {stack.name: stack for stack in self._there()}
        wanted = [stack_name(part, self._prefix) for part in ([only] if only else ORDER)]
        self.stacks = [there[name] for name in wanted if name in there]
        known = {stack_name(part, self._prefix) for part in ORDER}
        # A service that the app no longer has, or another deployment with a longer prefix.
        self.unknown = [] if only else sorted(there.keys() - known)
        if only and only not in ORDER and self.stacks:
            self._require_ours(self.stacks[0])
        busy = [f"{one.name} is {one.status}" for one in self.stacks if _is_busy(one)]
        if busy:
            raise UserError(f"{', '.join(busy)}: wait until that is done.")

    def held(self) -> Held:
        """Look at what the removal would strand."""
        counts = {queue: self._messages(queue) for queue in self._queues()}
        return Held(self._open_orders(), {queue: n for queue, n in counts.items() if n})

    def run(self, report: Report, *, anyway: bool) -> None:
        """Delete the stacks, one after the other.

        Raises UserError when one cannot be deleted, and, unless `anyway`, when an order came in
        just before the door was closed.
        """
        doors = {stack_name(door, self._prefix) for door in DOORS}
        for number, stack in enumerate(self.stacks):
            was_door = number and self.stacks[number - 1].name in doors
            if was_door and not anyway and (held := self.held()):
                raise UserError(f"The door is closed, and there are {held}: run this again later.")
            report(f"Removing {stack.name}")
            self._cloudformation.delete_stack(StackName=stack.id)
            self._await_deletion(stack)

    def left(self) -> Left:
        """Return what the stacks have left behind."""
        tables = [] if self._only else [table_name(table, self._prefix) for table in TABLES]
        return Left([table for table in tables if self._is_table(table)], list(self._queues()))

    def remove_queues(self, queues: Iterable[str], report: Report) -> None:
        """Delete failure queues, with what is in them."""
        for queue in queues:
            report(f"Removing the queue {queue}")
            self._sqs.delete_queue(QueueUrl=self._url(queue))

    def remove_tables(self, tables: Iterable[str], report: Report) -> None:
        """Delete tables, with what is in them, although they are protected from that."""
        for table in tables:
            report(f"Removing the table {table}")
            self._dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            self._dynamodb.get_waiter("table_exists").wait(TableName=table)
            self._dynamodb.delete_table(TableName=table)
            self._dynamodb.get_waiter("table_not_exists").wait(TableName=table)

    def remove_local_code(self) -> None:
        """Delete the bucket of the functions that an emulator runs as processes."""
        s3, bucket = self._clients.client("s3"), f"{self._prefix}-local-code"
        if bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
            return
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=found["Key"])
        s3.delete_bucket(Bucket=bucket)

    def _there(self) -> Iterator[Stack]:
        """Yield the stacks whose names begin with the deployment's prefix."""
        for page in self._cloudformation.get_paginator("describe_stacks").paginate():
            for found in page["Stacks"]:
                stack = Stack(found["StackName"], found["StackId"], found["StackStatus"])
                if stack.name.startswith(f"{self._prefix}-") and stack.status != "DELETE_COMPLETE":
                    yield stack

    def _require_ours(self, stack: Stack) -> None:
        """Raise UserError unless a function of the stack uses this deployment's bus or tables."""
        body = self._cloudformation.get_template(StackName=stack.id)["TemplateBody"]
        try:
            template: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
        except ValueError:
            template = {"Resources": {}}  # in YAML, which the CDK never writes
        used = [
            resource["Properties"].get("Environment", {}).get("Variables", {}).items()
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Lambda::Function"
        ]
        # With the variable's name: the bus of a deployment `shop-orders` is no table of `shop`.
        ours = [("EVENT_BUS_NAME", self._prefix)]
        ours += [(f"{table.upper()}_TABLE", table_name(table, self._prefix)) for table in TABLES]
        if not any(one in variables for variables in used for one in ours):
            raise UserError(
                f"{stack.name} is no service of {self._prefix}: its functions use neither the bus "
                "nor the tables of this deployment."
            )

    def _open_orders(self) -> int:
        """Count the open orders that the removal would strand, up to COUNTED."""
        if self._only in (*DOORS, MONITORING):
            return 0  # an order that was accepted does not need these
        try:
            orders = StoredOrders(self._clients).open(COUNTED)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            return 0  # the table is gone, and all orders with it
        if self._only is None or self._only in SERVICES:
            return len(orders)
        # Of a service that is gone from the app, only what no other takes on.
        known = flow.load()
        return sum(not known.leaving(order["status"]) for order in orders)

    def _queues(self) -> Iterator[str]:
        """Yield the failure queues that are there."""
        for part in [self._only] if self._only else ORDER:
            queue = f"{stack_name(part, self._prefix)}-failures"
            if self._url(queue):
                yield queue

    def _url(self, queue: str) -> str:
        try:
            return self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]  # type: ignore[no-any-return]
        except self._sqs.exceptions.QueueDoesNotExist:
            return ""

    def _messages(self, queue: str) -> int:
        name = "ApproximateNumberOfMessages"
        counted = self._sqs.get_queue_attributes(
            QueueUrl=self._url(queue), AttributeNames=[name, f"{name}NotVisible", f"{name}Delayed"]
        )
        return sum(map(int, counted["Attributes"].values()))

    def _is_table(self, table: str) -> bool:
        try:
            self._dynamodb.describe_table(TableName=table)
        except self._dynamodb.exceptions.ResourceNotFoundException:
            return False
        return True

    def _await_deletion(self, stack: Stack) -> None:
        deadline = time.monotonic() + STACK_SECONDS
        while True:
            # By its id: by its name a stack that is deleted cannot be found.
            [found] = self._cloudformation.describe_stacks(StackName=stack.id)["Stacks"]
            status = found["StackStatus"]
            if status == "DELETE_COMPLETE":
                return
            if status != "DELETE_IN_PROGRESS":
                raise UserError(
                    f"{stack.name} is {status}: {'; '.join(self._reasons(stack))}. Correct that, "
                    "and run this again."
                )
            if time.monotonic() > deadline:
                raise UserError(f"{stack.name} is still {status}: run this again later.")
            time.sleep(EMULATOR_SECONDS if self._clients.endpoint else AWS_SECONDS)

    def _reasons(self, stack: Stack) -> Sequence[str]:
        """Return CloudFormation's reasons for what this deletion could not delete."""
        pages = self._cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=stack.id
        )
        reasons = []
        for event in (event for page in pages for event in page["StackEvents"]):  # newest first
            of_stack = event["LogicalResourceId"] == stack.name
            if of_stack and event["ResourceStatus"] == "DELETE_IN_PROGRESS":
                break
            if not of_stack and event["ResourceStatus"] == "DELETE_FAILED":
                reason = event.get("ResourceStatusReason", "no reason is given")
                reasons.append(f"{event['LogicalResourceId']}: {reason}")
        return reasons or ["no resource has a reason"]


def _is_busy(stack: Stack) -> bool:
    return stack.status.endswith("_IN_PROGRESS") and stack.status != "DELETE_IN_PROGRESS"

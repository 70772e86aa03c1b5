"""Whether the calls that handlers make are exactly what their templates grant.

Left out are conditions: what is granted under one counts as granted, what is denied under one does
not count as denied. And what Lambda itself does as the function's role: it takes messages from the
queues that are event sources, and sends what failed to a destination.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from explorer.calls import Call, UnknownCallError
from explorer.eventbridge import bus
from explorer.templates import Templates

Grant = tuple[str, str]  # an action of IAM, and the name of the resource

# DynamoDB's developer guide, "Using IAM with DynamoDB transactions": "Permissions for Put, Update,
# Delete, and Get actions are governed by the permissions used for the underlying PutItem,
# UpdateItem, DeleteItem, and GetItem operations. For the ConditionCheck action [...]
# dynamodb:ConditionCheckItem".
IN_TRANSACTIONS = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
ON_TABLES = {*IN_TRANSACTIONS.values(), "BatchGetItem", "BatchWriteItem", "Query", "Scan"}
# Service authorization reference, "Actions, resources, and condition keys for Amazon DynamoDB": of
# these only Query and Scan have an index for a resource.
ON_INDEXES = {"Query", "Scan"}
ACTIONS = {f"dynamodb:{name}" for name in ON_TABLES} | {"events:PutEvents", "sqs:SendMessage"}
# What Lambda does with a queue that is an event source.
BY_LAMBDA = {
    f"sqs:{name}"
    for name in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
}


def grants(
    templates: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, set[Grant]]:
    """Return what each function may do with tables, buses and queues.

    names: of what is explored, by the end of its ARN after the account:
        {"table/shop-orders": "orders", "table/shop-orders/index/open": "orders/index/open",
        "event-bus/shop": "bus", "shop-queue": "queue", "function:shop-charge": "charge"}.
        Whatever else is granted is named by that end itself.
    """
    allowed: dict[str, set[Grant]] = {}
    denied: dict[str, set[Grant]] = {}
    stacks = Templates(templates)
    failures = stacks.failure_queues()
    for deployed, statement in stacks.statements():
        function = names.get(f"function:{deployed}", deployed)
        mine = [arn for arn in statement["Resource"] if (deployed, arn) not in failures]
        found = {*_granted(statement["Action"], mine, names)}
        allowed.setdefault(function, set())
        if statement["Effect"] == "Allow":
            allowed[function] |= found
        elif not statement.get("Condition"):
            denied.setdefault(function, set()).update(found)
    return {function: found - denied.get(function, set()) for function, found in allowed.items()}


def needed(call: Call) -> set[Grant]:
    """Return what must be granted for a call of AWS."""
    parameters = call.parameters
    match call.service, call.operation:
        case "dynamodb", "TransactWriteItems" | "TransactGetItems":
            return {
                (f"dynamodb:{IN_TRANSACTIONS[kind]}", _table(one["TableName"]))
                for item in parameters["TransactItems"]
                for kind, one in item.items()
            }
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            return {
                (f"dynamodb:{call.operation}", _table(name)) for name in parameters["RequestItems"]
            }
        case "dynamodb", operation if operation in ON_TABLES:
            index = f"/index/{parameters['IndexName']}" if parameters.get("IndexName") else ""
            return {(f"dynamodb:{operation}", _table(parameters["TableName"]) + index)}
        case "events", "PutEvents":
            return {("events:PutEvents", bus(entry)) for entry in parameters["Entries"]}
        case "sqs", "SendMessage" | "SendMessageBatch":
            # SQS's API reference, AddPermission: SendMessage "also grants permissions for the
            # corresponding batch versions".
            return {("sqs:SendMessage", parameters["QueueUrl"].rpartition("/")[2])}
    raise UnknownCallError(f"{call.operation} of {call.service} is not known to the explorer.")


def differences(calls: Set[tuple[str, str, str]], granted: Mapping[str, Set[Grant]]) -> list[str]:
    """Return a sentence for each call that is not granted, and each grant that no call uses.

    calls: the function, the action and the resource of each call that was seen.
    """
    may = {(function, *grant) for function, found in granted.items() for grant in found}
    return [
        *(
            f"{function} calls {action} on {resource}, which its template does not grant"
            for function, action, resource in sorted(calls - may)
        ),
        *(
            f"{function} may {action} on {resource}, and no exploration saw it"
            for function, action, resource in sorted(may - calls)
        ),
    ]


def _granted(
    actions: Sequence[str], arns: Sequence[str], names: Mapping[str, str]
) -> Iterator[Grant]:
    for arn in arns:
        end = arn.split(":", 5)[-1]  # "*" alone is everything of every service
        known = [name for name in names if _covers(end, name)]
        for action in (one for pattern in actions for one in _actions(pattern)):
            for name in [name for name in known if _concerns(action, name)] or [end]:
                if _concerns(action, name):
                    yield action, names.get(name, name)


def _actions(pattern: str) -> list[str]:
    known = [action for action in sorted(ACTIONS) if _covers(pattern.lower(), action.lower())]
    if known or any(_covers(pattern.lower(), action.lower()) for action in BY_LAMBDA):
        return known
    return [pattern] if pattern.partition(":")[0] in ("dynamodb", "events", "sqs") else []


def _covers(pattern: str, name: str) -> bool:
    """Return whether a pattern of IAM, with * and ?, covers a name."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None


def _concerns(action: str, end: str) -> bool:
    """Return whether there is such an action on a resource with this end of its ARN."""
    service, _, operation = action.partition(":")
    if end == "*":
        return True
    if end.startswith("table/"):
        return service == "dynamodb" and ("/index/" not in end or operation in ON_INDEXES)
    if end.startswith("event-bus/"):
        return service == "events"
    return service == "sqs" and not end.startswith("function:")


def _table(name: str) -> str:
    """Return a table's name, also where it is given by its ARN."""
    return name.rpartition("table/")[2]

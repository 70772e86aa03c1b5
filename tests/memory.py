"""DynamoDB and EventBridge in memory, down to a client's call, for what the services use of them.

Strict where AWS is: an expression that it does not know, or a name or value that an expression
does not use, is an error. Strict as well where AWS is lenient and the code must not be: a read has
to be consistent, and an index has no more than its keys and projected attributes.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

Attributes = dict[str, Any]

# The keys of each index, and the attributes that are projected into it.
INDEXES: dict[str, tuple[str, str, list[str]]] = {
    "open": ("openShard", "createdAt", ["nextAttemptAt"]),
    "deferred": ("openShard", "nextAttemptAt", []),
}


class ConditionalCheckFailedException(ClientError):  # botocore's name
    pass


class TransactionCanceledException(ClientError):
    pass


class Exceptions:
    ConditionalCheckFailedException = ConditionalCheckFailedException
    TransactionCanceledException = TransactionCanceledException


class MemoryDynamoDB:
    """Tables of items, and the calls made, in order."""

    exceptions = Exceptions

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys
        self.tables: dict[str, dict[str, Attributes]] = {table: {} for table in keys}
        self.calls: list[str] = []
        self.page = 100  # so many items are on a page of a query
        self.conflicts = 0  # so many writes to come are refused for a conflict

    def get_item(self, *, TableName: str, Key: Attributes, ConsistentRead: bool) -> Any:
        self.calls.append("GetItem")
        if ConsistentRead is not True:
            raise NotImplementedError("a read that is not consistent may return an old item")
        item = self._find(TableName, Key)
        return {"Item": copy.deepcopy(item)} if item else {}

    def query(
        self,
        *,
        TableName: str,
        IndexName: str,
        KeyConditionExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Mapping[str, Any],
        ExclusiveStartKey: Attributes | None = None,
        Limit: int | None = None,  # the release before had none
    ) -> Any:
        """Return items of an index: their keys and the projected attributes."""
        self.calls.append("Query")
        partition, sort, projected = INDEXES[IndexName]
        sorts = KeyConditionExpression.removeprefix("#partition = :partition AND #sort ")
        if sorts not in ("BETWEEN :low AND :high", "<= :until"):  # this release, and the one before
            raise NotImplementedError(KeyConditionExpression)
        if ExpressionAttributeNames != {"#partition": partition, "#sort": sort}:
            raise NotImplementedError(ExpressionAttributeNames)
        wanted = ExpressionAttributeValues[":partition"]
        low = ExpressionAttributeValues.get(":low", {"S": ""})["S"]
        high = ExpressionAttributeValues[":until" if ":until" in sorts else ":high"]["S"]

        def place(item: Attributes) -> tuple[str, str]:
            return item[sort]["S"], self._key(TableName, item)

        # The first key need not be there any more: its place is.
        first = place(ExclusiveStartKey) if ExclusiveStartKey else ("", "")
        found = sorted(
            (
                item
                for item in self.tables[TableName].values()
                if item.get(partition) == wanted
                and sort in item
                and low <= item[sort]["S"] <= high
                and place(item) > first
            ),
            key=place,
        )
        keys = {self.keys[TableName], partition, sort}
        page = [
            {name: item[name] for name in item if name in keys | {*projected}}
            for item in found[: min(self.page, Limit or self.page)]
        ]
        last = {name: page[-1][name] for name in keys} if len(page) < len(found) else None
        return {"Items": page, **({"LastEvaluatedKey": last} if last else {})}

    def put_item(
        self,
        *,
        TableName: str,
        Item: Attributes,
        ConditionExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ReturnValuesOnConditionCheckFailure: str,
    ) -> Any:
        self.calls.append("PutItem")
        found = self._find(TableName, Item)
        if not _holds(found, ConditionExpression, ExpressionAttributeNames, {}):
            raise _refused("PutItem", found)
        self.tables[TableName][self._key(TableName, Item)] = copy.deepcopy(Item)
        return {}

    def update_item(self, **update: Any) -> Any:
        self.calls.append("UpdateItem")
        if self.conflicts:
            self.conflicts -= 1
            raise _error(ClientError, "TransactionConflictException", "UpdateItem")
        if not self._permits(update):
            raise _refused("UpdateItem", self._find(update["TableName"], update["Key"]))
        self._make(update)
        return {}

    def transact_write_items(self, *, TransactItems: list[Any]) -> Any:
        self.calls.append("TransactWriteItems")
        updates = [item["Update"] for item in TransactItems]
        if self.conflicts:
            self.conflicts -= 1
            reasons = [{"Code": "TransactionConflict"} for _ in updates]
            raise _error(
                TransactionCanceledException,
                "TransactionCanceledException",
                "TransactWriteItems",
                CancellationReasons=reasons,
            )
        if not all(map(self._permits, updates)):
            raise _error(
                TransactionCanceledException,
                "TransactionCanceledException",
                "TransactWriteItems",
                CancellationReasons=[self._reason(update) for update in updates],
            )
        for update in updates:
            self._make(update)
        return {}

    def _reason(self, update: Any) -> Any:
        if self._permits(update):
            return {"Code": "None"}
        found = self._find(update["TableName"], update["Key"])
        item = {"Item": copy.deepcopy(found)} if found else {}
        return {"Code": "ConditionalCheckFailed", **item}

    def _permits(self, update: Any) -> bool:
        _require_all_used(update)
        return _holds(
            self._find(update["TableName"], update["Key"]),
            update["ConditionExpression"],
            update["ExpressionAttributeNames"],
            update.get("ExpressionAttributeValues", {}),
        )

    def _make(self, update: Any) -> None:
        table, names = update["TableName"], update["ExpressionAttributeNames"]
        values = update["ExpressionAttributeValues"]
        key = self._key(table, update["Key"])
        item = copy.deepcopy(self.tables[table].get(key) or update["Key"])
        sets, _, removes = update["UpdateExpression"].partition(" REMOVE ")
        old = copy.deepcopy(item)
        for assignment in re.split(r", (?=#)", sets.removeprefix("SET ")):
            target, _, source = assignment.partition(" = ")
            item[names[target]] = _evaluate(source, old, names, values)
        for target in filter(None, removes.split(", ")):
            item.pop(names[target], None)
        self.tables[table][key] = item

    def _find(self, table: str, key: Attributes) -> Attributes | None:
        return self.tables[table].get(self._key(table, key))

    def _key(self, table: str, key: Attributes) -> str:
        return str(key[self.keys[table]]["S"])


class MemoryEvents:
    """The entries that were published, and the calls made; it can refuse the next ones."""

    def __init__(self) -> None:
        self.published: list[Any] = []
        self.calls: list[str] = []
        self.refusals = 0

    def put_events(self, *, Entries: list[Any]) -> Any:
        self.calls.append("PutEvents")
        if self.refusals:
            self.refusals -= 1
            refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
            return {"FailedEntryCount": len(Entries), "Entries": [refused for _ in Entries]}
        self.published += Entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "any"} for _ in Entries]}


def _holds(
    item: Attributes | None, condition: str, names: Mapping[str, str], values: Mapping[str, Any]
) -> bool:
    return all(_clause(item or {}, clause, names, values) for clause in condition.split(" AND "))


def _clause(
    item: Attributes, clause: str, names: Mapping[str, str], values: Mapping[str, Any]
) -> bool:
    match re.fullmatch(r"(\w+)\((#\w+)\)|(#\w+(?:\.#\w+)*) (=|>=) (:\w+)", clause):
        case re.Match() as found:
            function, argument, name, operator, value = found.groups()
        case _:
            raise NotImplementedError(clause)
    match function or operator:
        case "attribute_exists":
            return names[argument] in item
        case "attribute_not_exists":
            return names[argument] not in item
        case "=":
            return bool(_at(item, name, names) == values[value])
        case ">=":
            stored = _at(item, name, names)
            return stored is not None and int(stored["N"]) >= int(values[value]["N"])
    raise NotImplementedError(clause)


def _at(item: Attributes, path: str, names: Mapping[str, str]) -> Any:
    """Return the value at a path, such as `#outbox.#digest`; None when there is none."""
    first, *rest = [names[name] for name in path.split(".")]
    value = item.get(first)
    for name in rest:
        value = ((value or {}).get("M") or {}).get(name)
    return value


def _evaluate(
    source: str, item: Attributes, names: Mapping[str, str], values: Mapping[str, Any]
) -> Any:
    if source in values:
        return values[source]
    if found := re.fullmatch(r"(#\w+) ([+-]) (:\w+)", source):
        name, sign, value = found.groups()
        return {"N": str(int(item[names[name]]["N"]) + int(sign + values[value]["N"]))}
    if found := re.fullmatch(r"list_append\((#\w+), (:\w+)\)", source):
        name, value = found.groups()
        return {"L": [*item[names[name]]["L"], *values[value]["L"]]}
    raise NotImplementedError(source)


def _require_all_used(update: Any) -> None:
    text = update["UpdateExpression"] + " " + update["ConditionExpression"]
    used = set(re.findall(r"[#:]\w+", text))
    given = {*update["ExpressionAttributeNames"], *update.get("ExpressionAttributeValues", {})}
    if used != given:
        raise _error(ClientError, "ValidationException", f"unused or unknown: {used ^ given}")


def _refused(operation: str, found: Attributes | None) -> ClientError:
    item = {"Item": copy.deepcopy(found)} if found else {}
    return _error(
        ConditionalCheckFailedException, "ConditionalCheckFailedException", operation, **item
    )


def _error(kind: type[ClientError], code: str, operation: str, **response: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, **response}
    return kind(answer, operation)

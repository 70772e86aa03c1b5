"""DynamoDB's operations on items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.app import Table
from explorer.calls import Answer, UnknownCallError
from explorer.dynamodb.queries import query, scan
from explorer.dynamodb.reads import get, get_batch
from explorer.dynamodb.refusals import Refusal
from explorer.dynamodb.tables import Items, Tables
from explorer.dynamodb.transactions import transact_get, transact_write
from explorer.dynamodb.writes import Change, Request, write_batch, write_one

# The calls' output, and what is changed.
_Result = tuple[Any, tuple[Change, ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a call, and each item that it changes: its table, its key's text, the item.

    None instead of an item deletes it. The answer and the changes share values with the call and
    with the items: whoever may change one of them has to be given a copy.
    """

    answer: Answer
    changes: tuple[Change, ...] = ()


class DynamoDB:
    """DynamoDB with these tables, without items of its own: it answers on those that it is given.

    The values of items are in canonical form; those of requests need not be.
    page: of a query or a scan so many items are read at once, at most; None for no limit.
    """

    def __init__(self, tables: Sequence[Table], page: int | None = None) -> None:
        self.tables, self.page = Tables(tables), page

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        items: Items,
        index_items: Items | None = None,
    ) -> Outcome:
        """Return what a call is answered on these items, and what it changes.

        index_items: what the reads that are not strongly consistent find, older than `items`.
        """
        make = _OPERATIONS.get(operation)
        if make is None:
            raise UnknownCallError(f"DynamoDB's {operation} is not known to the explorer")
        older = items if index_items is None else index_items
        try:
            output, changes = make(self, parameters, items, older)
        except Refusal as refusal:
            return Outcome(refusal.answer())
        return Outcome(Answer(output), changes)


_OPERATIONS: Mapping[str, Callable[[DynamoDB, Request, Items, Items], _Result]] = {
    "PutItem": lambda db, request, items, _: write_one("Put", request, db.tables, items),
    "UpdateItem": lambda db, request, items, _: write_one("Update", request, db.tables, items),
    "DeleteItem": lambda db, request, items, _: write_one("Delete", request, db.tables, items),
    "BatchWriteItem": lambda db, request, items, _: write_batch(request, db.tables, items),
    "TransactWriteItems": lambda db, request, items, _: transact_write(request, db.tables, items),
    "TransactGetItems": lambda db, request, items, _: (
        transact_get(request, db.tables, items),
        (),
    ),
    "GetItem": lambda db, request, items, older: (get(request, db.tables, items, older), ()),
    "BatchGetItem": lambda db, request, items, older: (
        get_batch(request, db.tables, items, older),
        (),
    ),
    "Query": lambda db, request, items, older: (
        query(request, db.tables, items, older, db.page),
        (),
    ),
    "Scan": lambda db, request, items, older: (
        scan(request, db.tables, items, older, db.page),
        (),
    ),
}

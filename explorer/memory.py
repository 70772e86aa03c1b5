"""Clients in memory, for unit tests: AWS as the explorer knows it, without faults of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cache, partial
from typing import Any

from botocore import xform_name
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError, ParamValidationError
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from explorer.app import Table
from explorer.calls import UnknownCallError
from explorer.dynamodb import DynamoDB, Item, canonical_item

_CONFLICT = "Transaction is ongoing for the item"


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service)


@cache
def _operations(service: str) -> Mapping[str, str]:
    """Return the operations of a service by the names of a client's methods."""
    return {xform_name(name): name for name in _model(service).operation_names}


@cache
def _exceptions(service: str) -> Any:
    return ClientExceptionsFactory().create_client_exceptions(_model(service))


class _Client:
    """A client of a service, with its methods and its exceptions; the calls made, in order."""

    service: str

    def __init__(self) -> None:
        self.calls: list[str] = []

    @property
    def exceptions(self) -> Any:
        """The classes of the service's errors, which are botocore's."""
        return _exceptions(self.service)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        operation = _operations(self.service).get(method)
        if operation is None:
            raise AttributeError(f"a client of {self.service} has no method {method}")
        return partial(self._called, operation)

    def _called(self, operation: str, **parameters: Any) -> Any:
        self.calls.append(operation)
        shape: Any = _model(self.service).operation_model(operation).input_shape
        errors = ParamValidator().validate(parameters, shape)
        if errors.has_errors():
            raise ParamValidationError(report=errors.generate_report())
        return deepcopy(self.call(operation, deepcopy(parameters)))

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the output of a call, or raise what it fails with."""
        raise UnknownCallError(f"{self.service}'s {operation} is not known to the explorer")

    def error(self, operation: str, code: str, message: str, **response: Any) -> ClientError:
        """Return the error of a call, of the class that botocore has for its code."""
        kind = self.exceptions.from_code(code)
        error: ClientError = kind(
            {"Error": {"Code": code, "Message": message}, **deepcopy(response)}, operation
        )
        return error


class MemoryDynamoDB(_Client):
    """Tables of items.

    tables: the items, by their tables and by the texts of their keys; a test may change them.
    page: of a query or a scan so many items are read at once, at most.
    conflicts: so many updates and transactions to come are refused for a conflict with another.
    """

    service = "dynamodb"

    def __init__(self, tables: Sequence[Table] | Mapping[str, str]) -> None:
        """Make the tables; strings for their partition keys suffice where there is no more."""
        super().__init__()
        if isinstance(tables, Mapping):
            tables = [Table(name, partition) for name, partition in tables.items()]
        self.tables: dict[str, dict[str, Any]] = {table.name: {} for table in tables}
        self.page: int | None = None
        self.conflicts = 0
        self._dynamodb = DynamoDB(tables)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the output of a call, or raise what it fails with."""
        if self.conflicts and operation in ("UpdateItem", "TransactWriteItems"):
            self.conflicts -= 1
            raise self._conflict(operation, parameters)
        items = {name: _Canonical(table) for name, table in self.tables.items()}
        self._dynamodb.page = self.page
        outcome = self._dynamodb.call(operation, parameters, items)
        if failure := outcome.answer.failure:
            raise self.error(operation, failure.code, failure.message, **failure.response)
        for table, key, item in outcome.changes:
            if item is None:
                del self.tables[table][key]
            else:
                self.tables[table][key] = deepcopy(item)
        return outcome.answer.output

    def _conflict(self, operation: str, parameters: Mapping[str, Any]) -> ClientError:
        if operation == "UpdateItem":
            return self.error(operation, "TransactionConflictException", _CONFLICT)
        reason = {"Code": "TransactionConflict", "Message": _CONFLICT}
        return self.error(
            operation,
            "TransactionCanceledException",
            "Transaction cancelled, please refer cancellation reasons for specific reasons",
            CancellationReasons=[reason for _ in parameters["TransactItems"]],
        )


class _Canonical(Mapping[str, Item]):
    """The items of a table, in the canonical form of what a test may have written; if read."""

    def __init__(self, table: Mapping[str, Item]) -> None:
        self._table = table

    def __getitem__(self, key: str) -> Item:
        return canonical_item(self._table[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class MemoryEvents(_Client):
    """The entries that were published, as they were put.

    refusals: the entries of so many calls to come are refused.
    """

    service = "events"

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Any] = []
        self.refusals = 0

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the output of a call."""
        if operation != "PutEvents":
            return super().call(operation, parameters)
        if more := parameters.keys() - {"Entries"}:
            return super().call(f"{operation} with {min(more)}", parameters)
        entries = parameters["Entries"]
        if self.refusals:
            self.refusals -= 1
            refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
            return {"FailedEntryCount": len(entries), "Entries": [refused for _ in entries]}
        self.published += entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "any"} for _ in entries]}

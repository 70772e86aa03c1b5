"""What goes over the wire to AWS: a proxy before the emulator that writes every call down."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bench.stand_ins import Handler, Server
from bench.units import Index, Item, read_units, size, write_units
from harness.connect import session

QUIET_SECONDS = 0.5
IN_ALL = "TransactWriteItems"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of AWS: its operation, what DynamoDB bills for it, its bytes, and its verdict."""

    operation: str
    refused: bool
    write_units: int = 0
    read_units: float = 0.0
    events: int = 0
    bytes_sent: int
    bytes_received: int


class Wire(Server):
    """Passes calls on to the emulator at `endpoint`, one after the other, and counts them.

    Items are read at the emulator before and after each write, because what a write costs hangs
    on the sizes of both.
    """

    def __init__(self, endpoint: str) -> None:
        self.calls: list[Call] = []
        self._endpoint = urlsplit(endpoint)
        self._one_at_a_time = threading.Lock()
        self._dynamodb = session().client("dynamodb", endpoint_url=endpoint)
        self._tables: dict[str, tuple[str, dict[str, Index]]] = {}
        wire = self

        class Passing(Handler):
            def do_POST(self) -> None:
                body = self.body()
                with wire._one_at_a_time:
                    status, headers, answer = wire._count(self, body)
                kept = {
                    name: value
                    for name, value in headers.items()
                    if name.lower() not in ("content-length", "transfer-encoding", "connection")
                }
                self.answer(status, answer, kept)

        super().__init__(Passing)
        self.url = f"http://127.0.0.1:{self.port}"

    def wait_until_quiet(self) -> None:
        """Wait until no call comes: an order ends before its last event is published."""
        seen = -1
        while seen != len(self.calls):
            seen = len(self.calls)
            time.sleep(QUIET_SECONDS)

    def _count(self, asked: Handler, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        operation = asked.headers.get("X-Amz-Target", "").rpartition(".")[2]
        request = json.loads(body) if operation else {}
        written = list(self._written(operation, request))
        before = [self._find(table, key) for table, key in written]
        status, headers, answer = self._pass_on(asked, body)
        after = [self._find(table, key) for table, key in written]
        sent = f"{asked.requestline}\r\n{asked.headers}"
        received = f"HTTP/1.1 {status} OK\r\n" + "".join(
            f"{n}: {v}\r\n" for n, v in headers.items()
        )
        self.calls.append(
            Call(
                operation=operation or asked.path,
                refused=status >= http.client.BAD_REQUEST,
                write_units=sum(
                    write_units(old, new, self._indexes(table), in_transaction=operation == IN_ALL)
                    for (table, _), old, new in zip(written, before, after, strict=True)
                ),
                read_units=self._read_units(operation, request, answer),
                events=len(request.get("Entries", [])) if operation == "PutEvents" else 0,
                bytes_sent=len(sent) + len(body),
                bytes_received=len(received) + 2 + len(answer),
            )
        )
        return status, headers, answer

    def _pass_on(self, asked: Handler, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection(self._endpoint.hostname or "", self._endpoint.port)
        headers = {
            name: value
            for name, value in asked.headers.items()
            if name.lower() not in ("transfer-encoding", "connection", "expect")
        }
        headers["Content-Length"] = str(len(body))
        connection.request(asked.command, asked.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def _written(self, operation: str, request: Any) -> Iterator[tuple[str, Item]]:
        """Yield table and key of each item that a request writes."""
        match operation:
            case "PutItem":
                key, _ = self._table(request["TableName"])
                yield request["TableName"], {key: request["Item"][key]}
            case "UpdateItem" | "DeleteItem":
                yield request["TableName"], request["Key"]
            case "TransactWriteItems":
                for part in request["TransactItems"]:
                    [(kind, one)] = part.items()
                    yield from self._written(f"{kind}Item", one)

    def _read_units(self, operation: str, request: Any, answer: bytes) -> float:
        consistent = bool(request.get("ConsistentRead"))
        match operation:
            case "GetItem":
                item = json.loads(answer).get("Item", {})
                return read_units(size(item), consistent=consistent)
            case "Query":
                items = json.loads(answer).get("Items", [])
                return read_units(sum(map(size, items)), consistent=consistent)
        return 0

    def _find(self, table: str, key: Item) -> Item | None:
        found: Any = self._dynamodb.get_item(TableName=table, Key=dict(key), ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def _indexes(self, table: str) -> Sequence[Index]:
        return list(self._table(table)[1].values())

    def _table(self, table: str) -> tuple[str, dict[str, Index]]:
        """Return a table's partition key, and its indexes."""
        if table not in self._tables:
            described: Any = self._dynamodb.describe_table(TableName=table)["Table"]
            [own] = [part["AttributeName"] for part in described["KeySchema"]]
            indexes = {}
            for index in described.get("GlobalSecondaryIndexes", []):
                key = [part["AttributeName"] for part in index["KeySchema"]]
                others = index["Projection"].get("NonKeyAttributes", [])
                indexes[index["IndexName"]] = Index(key, [own, *key, *others])
            self._tables[table] = own, indexes
        return self._tables[table]

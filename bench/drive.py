"""Give a handler events with nothing behind its AWS clients, and print the best microseconds.

Runs in a contestant's own environment: `python drive.py MODULE FUNCTION COUNT`, with the event and
the stored item as JSON on its standard input.
"""

import importlib
import json
import logging
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from botocore.session import Session


class ConditionalCheckFailedException(Exception):  # botocore's name
    """Never raised."""


class TransactionCanceledException(Exception):
    """Never raised."""


class Nothing:
    """A client, resource and table at once, which responds at once."""

    def __init__(self, item: Any) -> None:
        self._item = item
        self.client = self.meta = self.exceptions = self
        self.ConditionalCheckFailedException = ConditionalCheckFailedException
        self.TransactionCanceledException = TransactionCanceledException

    def Table(self, name: str) -> "Nothing":  # boto3's name
        """Return a table, which is this again."""
        return self

    def get_item(self, **request: Any) -> Any:
        """Return the stored item."""
        return {"Item": self._item}

    def put_events(self, **request: Any) -> Any:
        """Take all events."""
        entries = [{"EventId": "1"} for _ in request["Entries"]]
        return {"FailedEntryCount": 0, "Entries": entries}

    def _write(self, **request: Any) -> Any:
        return {}

    def transact_write_items(self, *, TransactItems: Any) -> Any:  # boto3's name
        """Make all writes."""
        for part in TransactItems:
            self._write(**part["Update"])
        return {}

    def put_item(self, **request: Any) -> Any:
        """Make a write."""
        return self._write(**request)

    update_item = put_item


class NoTable(Nothing):
    """A resource of boto3, which takes plain values and makes DynamoDB's of them by itself."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        types = importlib.import_module("boto3.dynamodb.types")
        self._serialize = types.TypeSerializer().serialize

    def _write(self, **request: Any) -> Any:
        for name in ("Item", "Key", "ExpressionAttributeValues"):
            for value in request.get(name, {}).values():
                self._serialize(value)
        return {}


class Context:
    """What Lambda hands over with an event."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

    def get_remaining_time_in_millis(self) -> int:
        """Return that there is time."""
        return 20_000


def main(module: str, function: str, count: int) -> None:
    """Drive a handler."""
    given = json.load(sys.stdin)
    nothing: Any = Nothing(given["item"])
    session: Any = Session
    session.create_client = lambda *name, **options: nothing
    if find_spec("boto3"):
        no_table: Any = NoTable(given["item"])
        boto3: Any = importlib.import_module("boto3")
        boto3.Session.resource = lambda *name, **options: no_table
    context = Context()
    batches = 10
    best = float("inf")
    output = sys.stdout
    with Path(os.devnull).open("w") as sys.stdout:
        # As the runtime client has it, so that lines are made and written.
        logs = logging.StreamHandler(sys.stdout)
        logs.setFormatter(
            logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(message)s")
        )
        logging.getLogger().addHandler(logs)
        handler = getattr(importlib.import_module(module), function)
        for _ in range(batches):
            began = time.perf_counter()
            for _ in range(count // batches):
                handler(given["event"], context)
            best = min(best, (time.perf_counter() - began) / (count // batches))
    print(best * 1e6, file=output)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

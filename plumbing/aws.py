"""The clients of AWS, with their time-outs and retries.

They are the clients that `boto3.client` returns, made by botocore as boto3 makes them. Importing
boto3 itself takes a tenth of a cold start, for parts that nothing here uses: docs/performance.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient

# The operations that functions call, the one declaration of them: an image has no others. A service
# that calls more declares them in an aws.py of its own, in the same form.
OPERATIONS = {
    "dynamodb": ("GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"),
    "events": ("PutEvents",),
}

# What a call raises: AWS refused it, or did not respond.
CALL_ERRORS = (ClientError, BotoCoreError)

# Worst case of one call: 3 tries of 1 + 2 s and the pauses between them. A function with 20 s has
# time for its write and its publish. A try that timed out may have taken effect: every call made
# here is safe to repeat.
_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
# One session for both clients, because each session reads the descriptions of AWS again.
_session = get_session()


def dynamodb() -> DynamoDBClient:
    """Make a client of DynamoDB."""
    return cast("DynamoDBClient", _session.create_client("dynamodb", config=_CONFIG))


def eventbridge() -> EventBridgeClient:
    """Make a client of EventBridge."""
    return cast("EventBridgeClient", _session.create_client("events", config=_CONFIG))

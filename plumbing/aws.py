"""The clients of AWS, with their time-outs and retries.

They are the clients that `boto3.client` returns, made by botocore as boto3 makes them. Importing
boto3 itself takes a tenth of a cold start, for parts that nothing here uses: docs/performance.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from plumbing.budget import CONNECT_SECONDS, READ_SECONDS, check_attempt, check_retry

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

# Three tries of each call, and the pauses between them, as far as they fit into the invocation. A
# try that timed out may have taken effect: every call made here is safe to repeat.
_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 3},
)
# One session for both clients, because each session reads the descriptions of AWS again.
_session = get_session()
# Clients have the handlers of their session. Of those for "needs-retry" the first that responds
# decides, and the one with the longest name comes first: before botocore's own.
_session.register("before-send", check_attempt)
_session.register("needs-retry.*.*", cast("Any", check_retry))


def dynamodb() -> DynamoDBClient:
    """Make a client of DynamoDB."""
    return cast("DynamoDBClient", _session.create_client("dynamodb", config=_CONFIG))


def eventbridge() -> EventBridgeClient:
    """Make a client of EventBridge."""
    return cast("EventBridgeClient", _session.create_client("events", config=_CONFIG))

"""The clients of AWS: how they are made, how they wait, and how they try again.

They are what `boto3.client` answers, and are made as it makes them, by botocore. Importing boto3
itself takes a tenth of a cold start, for parts of it that nothing here uses: docs/performance.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient

# What a call raises: refused by AWS, or not answered.
CALL_ERRORS = (ClientError, BotoCoreError)

# Worst case of one call: 3 tries of 1 + 2 s and the pauses between them, which leaves a function
# of 20 s time for its write and its publish. A try that timed out may have taken effect: every
# call made here may be repeated.
_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)
# One for both, because each reads the descriptions of AWS anew.
_session = get_session()


def dynamodb() -> DynamoDBClient:
    """Make a client of DynamoDB."""
    return cast("DynamoDBClient", _session.create_client("dynamodb", config=_CONFIG))


def eventbridge() -> EventBridgeClient:
    """Make a client of EventBridge."""
    return cast("EventBridgeClient", _session.create_client("events", config=_CONFIG))

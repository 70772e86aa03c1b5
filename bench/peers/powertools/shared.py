"""What all five handlers need."""

import os
from datetime import UTC, datetime

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
)
from pydantic import BaseModel

logger = Logger()
events = boto3.client("events")
persistence = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])
once_per_order = IdempotencyConfig(event_key_jmespath="detail.orderId")


def publish(event: BaseModel) -> None:
    answer = events.put_events(
        Entries=[
            {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": os.environ["EVENT_SOURCE"],
                "DetailType": type(event).__name__,
                "Detail": event.model_dump_json(by_alias=True),
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"the bus refused an event: {answer['Entries']}")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

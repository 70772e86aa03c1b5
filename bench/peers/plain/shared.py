"""What all five handlers need."""

import json
import logging
import os
from datetime import UTC, datetime

import boto3
from pydantic import BaseModel

events = boto3.client("events")
logger = logging.getLogger()
logger.setLevel(logging.INFO)


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


def log(message: str, **fields: object) -> None:
    logger.info(json.dumps({"message": message, **fields}, default=str))

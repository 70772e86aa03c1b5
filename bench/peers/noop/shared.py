"""Pass an event on, and do nothing else."""

import json
import os

import boto3

events = boto3.client("events")


def publish(detail_type: str, detail: dict[str, object]) -> None:
    events.put_events(
        Entries=[
            {
                "EventBusName": os.environ["EVENT_BUS_NAME"],
                "Source": os.environ["EVENT_SOURCE"],
                "DetailType": detail_type,
                "Detail": json.dumps(detail),
            }
        ]
    )
    print(detail_type, flush=True)

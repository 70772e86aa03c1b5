"""PaymentCharged: publish ShippingScheduled. The one write marks the end."""

import os
from datetime import UTC, datetime

import boto3
from shared import publish

orders = boto3.client("dynamodb")


def handler(event, context):
    orders.put_item(
        TableName=os.environ["ORDERS_TABLE"],
        Item={
            "orderId": {"S": event["detail"]["orderId"]},
            "status": {"S": "SHIPPING_SCHEDULED"},
            "updatedAt": {"S": datetime.now(UTC).isoformat(timespec="milliseconds")},
        },
    )
    publish("ShippingScheduled", event["detail"])

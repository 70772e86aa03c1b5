"""PaymentCharged: book the shipment."""

import os
import uuid

import boto3
from models import PaymentCharged, ShippingScheduled
from shared import log, now, publish

dynamodb = boto3.resource("dynamodb")
orders = dynamodb.Table(os.environ["ORDERS_TABLE"])


def book(order: PaymentCharged) -> str:
    """Ask the carrier, which is simulated."""
    return f"TRK-{uuid.uuid5(order.order_id, 'shipment').hex[:8].upper()}"


def handler(event, context):
    order = PaymentCharged.model_validate(event["detail"])
    scheduled = ShippingScheduled(tracking_number=book(order), **order.model_dump())
    try:
        orders.update_item(
            Key={"orderId": str(order.order_id)},
            UpdateExpression="SET #status = :status, trackingNumber = :number, updatedAt = :now",
            ConditionExpression="#status = :expected",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":status": "SHIPPING_SCHEDULED",
                ":number": scheduled.tracking_number,
                ":now": now(),
                ":expected": "PAYMENT_CHARGED",
            },
        )
    except dynamodb.meta.client.exceptions.ConditionalCheckFailedException:
        log("already handled", orderId=order.order_id)
        return
    publish(scheduled)
    log("shipment booked", orderId=order.order_id)

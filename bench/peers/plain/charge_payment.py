"""InventoryReserved: charge the card, or fail the payment."""

import os
import uuid

import boto3
from models import InventoryReserved, PaymentCharged, PaymentFailed
from shared import log, now, publish

dynamodb = boto3.resource("dynamodb")
orders = dynamodb.Table(os.environ["ORDERS_TABLE"])


def charge(order: InventoryReserved) -> PaymentCharged | PaymentFailed:
    """Ask the gateway, which is simulated."""
    if order.customer_id == "CUST-DECLINE":
        return PaymentFailed(reason="card declined", **order.model_dump())
    return PaymentCharged(payment_id=uuid.uuid5(order.order_id, "payment"), **order.model_dump())


def handler(event, context):
    order = InventoryReserved.model_validate(event["detail"])
    outcome = charge(order)
    if isinstance(outcome, PaymentCharged):
        status, field, value = "PAYMENT_CHARGED", "paymentId", str(outcome.payment_id)
    else:
        status, field, value = "PAYMENT_FAILED", "failureReason", outcome.reason
    try:
        orders.update_item(
            Key={"orderId": str(order.order_id)},
            UpdateExpression="SET #status = :status, #field = :value, updatedAt = :now",
            ConditionExpression="#status = :expected",
            ExpressionAttributeNames={"#status": "status", "#field": field},
            ExpressionAttributeValues={
                ":status": status,
                ":value": value,
                ":now": now(),
                ":expected": "INVENTORY_RESERVED",
            },
        )
    except dynamodb.meta.client.exceptions.ConditionalCheckFailedException:
        log("already handled", orderId=order.order_id)
        return
    publish(outcome)
    log("payment decided", orderId=order.order_id, status=status)

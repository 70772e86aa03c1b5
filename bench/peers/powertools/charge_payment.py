"""InventoryReserved: charge the card, or fail the payment."""

import os
import uuid

import boto3
from aws_lambda_powertools.utilities.idempotency import idempotent
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.envelopes import EventBridgeEnvelope
from models import InventoryReserved, PaymentCharged, PaymentFailed
from shared import logger, now, once_per_order, persistence, publish

orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


def charge(order: InventoryReserved) -> PaymentCharged | PaymentFailed:
    """Ask the gateway, which is simulated."""
    if order.customer_id == "CUST-DECLINE":
        return PaymentFailed(reason="card declined", **order.model_dump())
    return PaymentCharged(payment_id=uuid.uuid5(order.order_id, "payment"), **order.model_dump())


@logger.inject_lambda_context
@idempotent(persistence_store=persistence, config=once_per_order)
@event_parser(model=InventoryReserved, envelope=EventBridgeEnvelope)
def handler(order: InventoryReserved, context):
    outcome = charge(order)
    if isinstance(outcome, PaymentCharged):
        status, field, value = "PAYMENT_CHARGED", "paymentId", str(outcome.payment_id)
    else:
        status, field, value = "PAYMENT_FAILED", "failureReason", outcome.reason
    orders.update_item(
        Key={"orderId": str(order.order_id)},
        UpdateExpression="SET #status = :status, #field = :value, updatedAt = :now",
        ExpressionAttributeNames={"#status": "status", "#field": field},
        ExpressionAttributeValues={":status": status, ":value": value, ":now": now()},
    )
    publish(outcome)
    logger.info("payment decided", order_id=str(order.order_id), status=status)

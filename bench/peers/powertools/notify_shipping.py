"""PaymentCharged: book the shipment."""

import os
import uuid

import boto3
from aws_lambda_powertools.utilities.idempotency import idempotent
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.envelopes import EventBridgeEnvelope
from models import PaymentCharged, ShippingScheduled
from shared import logger, now, once_per_order, persistence, publish

orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


def book(order: PaymentCharged) -> str:
    """Ask the carrier, which is simulated."""
    return f"TRK-{uuid.uuid5(order.order_id, 'shipment').hex[:8].upper()}"


@logger.inject_lambda_context
@idempotent(persistence_store=persistence, config=once_per_order)
@event_parser(model=PaymentCharged, envelope=EventBridgeEnvelope)
def handler(order: PaymentCharged, context):
    scheduled = ShippingScheduled(tracking_number=book(order), **order.model_dump())
    orders.update_item(
        Key={"orderId": str(order.order_id)},
        UpdateExpression="SET #status = :status, trackingNumber = :number, updatedAt = :now",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":status": "SHIPPING_SCHEDULED",
            ":number": scheduled.tracking_number,
            ":now": now(),
        },
    )
    publish(scheduled)
    logger.info("shipment booked", order_id=str(order.order_id))

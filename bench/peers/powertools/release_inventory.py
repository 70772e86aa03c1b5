"""PaymentFailed: give the units back."""

import os

import boto3
from aws_lambda_powertools.utilities.idempotency import idempotent
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.envelopes import EventBridgeEnvelope
from models import PaymentFailed
from shared import logger, now, once_per_order, persistence

dynamodb = boto3.resource("dynamodb").meta.client


@logger.inject_lambda_context
@idempotent(persistence_store=persistence, config=once_per_order)
@event_parser(model=PaymentFailed, envelope=EventBridgeEnvelope)
def handler(order: PaymentFailed, context):
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "TableName": os.environ["ORDERS_TABLE"],
                    "Key": {"orderId": str(order.order_id)},
                    "UpdateExpression": "SET #status = :status, updatedAt = :now",
                    "ExpressionAttributeNames": {"#status": "status"},
                    "ExpressionAttributeValues": {":status": "INVENTORY_RELEASED", ":now": now()},
                }
            },
            {
                "Update": {
                    "TableName": os.environ["INVENTORY_TABLE"],
                    "Key": {"sku": order.sku},
                    "UpdateExpression": "SET available = available + :units",
                    "ExpressionAttributeValues": {":units": order.quantity},
                }
            },
        ]
    )
    logger.info("inventory released", order_id=str(order.order_id))

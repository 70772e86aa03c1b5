"""OrderCreated: hold the units, or fail the order."""

import os
import uuid

import boto3
from aws_lambda_powertools.utilities.idempotency import idempotent
from aws_lambda_powertools.utilities.parser import event_parser
from aws_lambda_powertools.utilities.parser.envelopes import EventBridgeEnvelope
from models import InventoryFailed, InventoryReserved, OrderCreated
from shared import logger, now, once_per_order, persistence, publish

dynamodb = boto3.resource("dynamodb")
orders = dynamodb.Table(os.environ["ORDERS_TABLE"])


@logger.inject_lambda_context
@idempotent(persistence_store=persistence, config=once_per_order)
@event_parser(model=OrderCreated, envelope=EventBridgeEnvelope)
def handler(order: OrderCreated, context):
    reserved = InventoryReserved(reservation_id=uuid.uuid4(), **order.model_dump())
    try:
        dynamodb.meta.client.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": os.environ["ORDERS_TABLE"],
                        "Key": {"orderId": str(order.order_id)},
                        "UpdateExpression": (
                            "SET #status = :status, reservationId = :id, updatedAt = :now"
                        ),
                        "ExpressionAttributeNames": {"#status": "status"},
                        "ExpressionAttributeValues": {
                            ":status": "INVENTORY_RESERVED",
                            ":id": str(reserved.reservation_id),
                            ":now": now(),
                        },
                    }
                },
                {
                    "Update": {
                        "TableName": os.environ["INVENTORY_TABLE"],
                        "Key": {"sku": order.sku},
                        "UpdateExpression": "SET available = available - :units",
                        "ConditionExpression": "available >= :units",
                        "ExpressionAttributeValues": {":units": order.quantity},
                    }
                },
            ]
        )
    except dynamodb.meta.client.exceptions.TransactionCanceledException as error:
        _, of_stock = error.response["CancellationReasons"]
        if of_stock["Code"] != "ConditionalCheckFailed":
            raise
        fail(order)
        return
    publish(reserved)
    logger.info("inventory reserved", order_id=str(order.order_id))


def fail(order: OrderCreated) -> None:
    failed = InventoryFailed(reason="out of stock", **order.model_dump())
    orders.update_item(
        Key={"orderId": str(order.order_id)},
        UpdateExpression="SET #status = :status, failureReason = :reason, updatedAt = :now",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":status": "INVENTORY_FAILED",
            ":reason": failed.reason,
            ":now": now(),
        },
    )
    publish(failed)
    logger.info("out of stock", order_id=str(order.order_id))

"""OrderCreated: hold the units, or fail the order."""

import os
import uuid

import boto3
from models import InventoryFailed, InventoryReserved, OrderCreated
from shared import log, now, publish

dynamodb = boto3.resource("dynamodb")
orders = dynamodb.Table(os.environ["ORDERS_TABLE"])


def handler(event, context):
    order = OrderCreated.model_validate(event["detail"])
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
                        "ConditionExpression": "#status = :expected",
                        "ExpressionAttributeNames": {"#status": "status"},
                        "ExpressionAttributeValues": {
                            ":status": "INVENTORY_RESERVED",
                            ":id": str(reserved.reservation_id),
                            ":now": now(),
                            ":expected": "CREATED",
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
        of_order, of_stock = error.response["CancellationReasons"]
        if of_order["Code"] == "ConditionalCheckFailed":
            log("already handled", orderId=order.order_id)
            return
        if of_stock["Code"] != "ConditionalCheckFailed":
            raise
        fail(order)
        return
    publish(reserved)
    log("inventory reserved", orderId=order.order_id)


def fail(order: OrderCreated) -> None:
    failed = InventoryFailed(reason="out of stock", **order.model_dump())
    orders.update_item(
        Key={"orderId": str(order.order_id)},
        UpdateExpression="SET #status = :status, failureReason = :reason, updatedAt = :now",
        ConditionExpression="#status = :expected",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":status": "INVENTORY_FAILED",
            ":reason": failed.reason,
            ":now": now(),
            ":expected": "CREATED",
        },
    )
    publish(failed)
    log("out of stock", orderId=order.order_id)

"""PaymentFailed: give the units back."""

import os

import boto3
from models import PaymentFailed
from shared import log, now

dynamodb = boto3.resource("dynamodb").meta.client


def handler(event, context):
    order = PaymentFailed.model_validate(event["detail"])
    try:
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": os.environ["ORDERS_TABLE"],
                        "Key": {"orderId": str(order.order_id)},
                        "UpdateExpression": "SET #status = :status, updatedAt = :now",
                        "ConditionExpression": "#status = :expected",
                        "ExpressionAttributeNames": {"#status": "status"},
                        "ExpressionAttributeValues": {
                            ":status": "INVENTORY_RELEASED",
                            ":now": now(),
                            ":expected": "PAYMENT_FAILED",
                        },
                    }
                },
                {
                    "Update": {
                        "TableName": os.environ["INVENTORY_TABLE"],
                        "Key": {"sku": order.sku},
                        "UpdateExpression": "SET available = available + :units",
                        "ConditionExpression": "attribute_exists(sku)",
                        "ExpressionAttributeValues": {":units": order.quantity},
                    }
                },
            ]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        of_order, _ = error.response["CancellationReasons"]
        if of_order["Code"] != "ConditionalCheckFailed":
            raise
        log("already handled", orderId=order.order_id)
        return
    log("inventory released", orderId=order.order_id)

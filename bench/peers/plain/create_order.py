"""POST /orders."""

import json
import os
import uuid

import boto3
from models import OrderCreated, OrderRequest
from pydantic import ValidationError
from shared import log, now, publish

orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


def handler(event, context):
    try:
        request = OrderRequest.model_validate_json(event.get("body") or "")
    except ValidationError as error:
        return {"statusCode": 422, "body": error.json(include_url=False)}

    order = OrderCreated(order_id=uuid.uuid4(), **request.model_dump())
    orders.put_item(
        Item={
            **order.model_dump(mode="json", by_alias=True),
            "status": "CREATED",
            "updatedAt": now(),
        },
        ConditionExpression="attribute_not_exists(orderId)",
    )
    publish(order)
    log("order accepted", orderId=order.order_id)
    return {
        "statusCode": 202,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"orderId": str(order.order_id), "status": "CREATED"}),
    }

"""POST /orders."""

import json
import os
import uuid

import boto3
from aws_lambda_powertools.utilities.parser import ValidationError, parse
from models import OrderCreated, OrderRequest
from shared import logger, now, publish

orders = boto3.resource("dynamodb").Table(os.environ["ORDERS_TABLE"])


@logger.inject_lambda_context
def handler(event, context):
    try:
        request = parse(event=event.get("body") or "", model=OrderRequest)
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
    logger.info("order accepted", order_id=str(order.order_id))
    return {
        "statusCode": 202,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"orderId": str(order.order_id), "status": "CREATED"}),
    }

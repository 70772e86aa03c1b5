"""POST /orders."""

import json
import uuid

from shared import publish


def handler(event, context):
    order_id = str(uuid.uuid4())
    publish("OrderCreated", {**json.loads(event["body"]), "orderId": order_id})
    return {"statusCode": 202, "body": json.dumps({"orderId": order_id, "status": "CREATED"})}

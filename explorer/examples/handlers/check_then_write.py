"""OrderPlaced: charge the card and store the payment, unless it is stored already."""

import json
import os

import boto3

payments = boto3.resource("dynamodb").Table(os.environ["PAYMENTS_TABLE"])
events = boto3.client("events")


def charge(order_id: str, amount_cents: int) -> str:
    """Ask the payment provider; return its number for the charge."""
    raise NotImplementedError("here the provider's client would be called")


def handler(event, context):
    order = event["detail"]
    if "Item" in payments.get_item(Key={"orderId": order["orderId"]}):
        return
    charge_id = charge(order["orderId"], order["amountCents"])
    payments.put_item(Item={"orderId": order["orderId"], "status": "PAID", "chargeId": charge_id})
    events.put_events(
        Entries=[{"Source": "payments", "DetailType": "OrderPaid", "Detail": json.dumps(order)}]
    )

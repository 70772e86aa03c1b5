"""OrderPaid: book the shipment, unless this event was seen before."""

import os

import boto3

dynamodb = boto3.resource("dynamodb")
seen = dynamodb.Table(os.environ["SEEN_TABLE"])
shipments = dynamodb.Table(os.environ["SHIPMENTS_TABLE"])


def handler(event, context):
    try:
        seen.put_item(
            Item={"eventId": event["id"]}, ConditionExpression="attribute_not_exists(eventId)"
        )
    except dynamodb.meta.client.exceptions.ConditionalCheckFailedException:
        return
    shipments.put_item(Item={"orderId": event["detail"]["orderId"], "status": "BOOKED"})

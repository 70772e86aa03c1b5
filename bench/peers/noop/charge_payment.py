"""InventoryReserved: publish PaymentCharged."""

from shared import publish


def handler(event, context):
    publish("PaymentCharged", event["detail"])

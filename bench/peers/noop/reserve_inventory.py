"""OrderCreated: publish InventoryReserved."""

from shared import publish


def handler(event, context):
    publish("InventoryReserved", event["detail"])

// PaymentCharged: book the shipment.
import { createHash } from "node:crypto";

import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { EventBridgeEvent } from "aws-lambda";

import { PaymentCharged } from "./models.js";
import { dynamodb, log, now, ordersTable, publish } from "./shared.js";

// The simulated carrier.
function book(order: PaymentCharged): string {
  const digest = createHash("sha1").update(order.orderId).digest("hex");
  return `TRK-${digest.slice(0, 8).toUpperCase()}`;
}

export async function handler(event: EventBridgeEvent<"PaymentCharged", unknown>): Promise<void> {
  const order = PaymentCharged.parse(event.detail);
  const trackingNumber = book(order);
  try {
    await dynamodb.send(
      new UpdateCommand({
        TableName: ordersTable,
        Key: { orderId: order.orderId },
        UpdateExpression: "SET #status = :status, trackingNumber = :number, updatedAt = :now",
        ConditionExpression: "#status = :expected",
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ":status": "SHIPPING_SCHEDULED",
          ":number": trackingNumber,
          ":now": now(),
          ":expected": "PAYMENT_CHARGED",
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    log("already handled", { orderId: order.orderId });
    return;
  }
  await publish("ShippingScheduled", { ...order, trackingNumber });
  log("shipment booked", { orderId: order.orderId });
}

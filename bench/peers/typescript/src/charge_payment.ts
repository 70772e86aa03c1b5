// InventoryReserved: charge the card, or fail the payment.
import { randomUUID } from "node:crypto";

import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { EventBridgeEvent } from "aws-lambda";

import { InventoryReserved } from "./models.js";
import { dynamodb, log, now, ordersTable, publish } from "./shared.js";

// The simulated gateway.
function charge(order: InventoryReserved): { paymentId: string } | { reason: string } {
  if (order.customerId === "CUST-DECLINE") return { reason: "card declined" };
  return { paymentId: randomUUID() };
}

export async function handler(
  event: EventBridgeEvent<"InventoryReserved", unknown>,
): Promise<void> {
  const order = InventoryReserved.parse(event.detail);
  const outcome = charge(order);
  const charged = "paymentId" in outcome;
  const status = charged ? "PAYMENT_CHARGED" : "PAYMENT_FAILED";
  try {
    await dynamodb.send(
      new UpdateCommand({
        TableName: ordersTable,
        Key: { orderId: order.orderId },
        UpdateExpression: "SET #status = :status, #field = :value, updatedAt = :now",
        ConditionExpression: "#status = :expected",
        ExpressionAttributeNames: {
          "#status": "status",
          "#field": charged ? "paymentId" : "failureReason",
        },
        ExpressionAttributeValues: {
          ":status": status,
          ":value": charged ? outcome.paymentId : outcome.reason,
          ":now": now(),
          ":expected": "INVENTORY_RESERVED",
        },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    log("already handled", { orderId: order.orderId });
    return;
  }
  await publish(charged ? "PaymentCharged" : "PaymentFailed", { ...order, ...outcome });
  log("payment decided", { orderId: order.orderId, status });
}

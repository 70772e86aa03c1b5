// PaymentFailed: give the units back.
import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import type { EventBridgeEvent } from "aws-lambda";

import { PaymentFailed } from "./models.js";
import { dynamodb, inventoryTable, log, now, ordersTable } from "./shared.js";

export async function handler(event: EventBridgeEvent<"PaymentFailed", unknown>): Promise<void> {
  const order = PaymentFailed.parse(event.detail);
  try {
    await dynamodb.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Update: {
              TableName: ordersTable,
              Key: { orderId: order.orderId },
              UpdateExpression: "SET #status = :status, updatedAt = :now",
              ConditionExpression: "#status = :expected",
              ExpressionAttributeNames: { "#status": "status" },
              ExpressionAttributeValues: {
                ":status": "INVENTORY_RELEASED",
                ":now": now(),
                ":expected": "PAYMENT_FAILED",
              },
            },
          },
          {
            Update: {
              TableName: inventoryTable,
              Key: { sku: order.sku },
              UpdateExpression: "SET available = available + :units",
              ConditionExpression: "attribute_exists(sku)",
              ExpressionAttributeValues: { ":units": order.quantity },
            },
          },
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    if (error.CancellationReasons?.[0]?.Code !== "ConditionalCheckFailed") throw error;
    log("already handled", { orderId: order.orderId });
    return;
  }
  log("inventory released", { orderId: order.orderId });
}

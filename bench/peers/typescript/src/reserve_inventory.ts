// OrderCreated: hold the units, or fail the order.
import { randomUUID } from "node:crypto";

import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { TransactWriteCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { EventBridgeEvent } from "aws-lambda";

import { OrderCreated } from "./models.js";
import { dynamodb, inventoryTable, log, now, ordersTable, publish } from "./shared.js";

export async function handler(event: EventBridgeEvent<"OrderCreated", unknown>): Promise<void> {
  const order = OrderCreated.parse(event.detail);
  const reservationId = randomUUID();
  try {
    await dynamodb.send(
      new TransactWriteCommand({
        TransactItems: [
          {
            Update: {
              TableName: ordersTable,
              Key: { orderId: order.orderId },
              UpdateExpression: "SET #status = :status, reservationId = :id, updatedAt = :now",
              ConditionExpression: "#status = :expected",
              ExpressionAttributeNames: { "#status": "status" },
              ExpressionAttributeValues: {
                ":status": "INVENTORY_RESERVED",
                ":id": reservationId,
                ":now": now(),
                ":expected": "CREATED",
              },
            },
          },
          {
            Update: {
              TableName: inventoryTable,
              Key: { sku: order.sku },
              UpdateExpression: "SET available = available - :units",
              ConditionExpression: "available >= :units",
              ExpressionAttributeValues: { ":units": order.quantity },
            },
          },
        ],
      }),
    );
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const [ofOrder, ofStock] = error.CancellationReasons ?? [];
    if (ofOrder?.Code === "ConditionalCheckFailed") {
      log("already handled", { orderId: order.orderId });
      return;
    }
    if (ofStock?.Code !== "ConditionalCheckFailed") throw error;
    return fail(order);
  }
  await publish("InventoryReserved", { ...order, reservationId });
  log("inventory reserved", { orderId: order.orderId });
}

async function fail(order: OrderCreated): Promise<void> {
  const reason = "out of stock";
  await dynamodb.send(
    new UpdateCommand({
      TableName: ordersTable,
      Key: { orderId: order.orderId },
      UpdateExpression: "SET #status = :status, failureReason = :reason, updatedAt = :now",
      ConditionExpression: "#status = :expected",
      ExpressionAttributeNames: { "#status": "status" },
      ExpressionAttributeValues: {
        ":status": "INVENTORY_FAILED",
        ":reason": reason,
        ":now": now(),
        ":expected": "CREATED",
      },
    }),
  );
  await publish("InventoryFailed", { ...order, reason });
  log("out of stock", { orderId: order.orderId });
}

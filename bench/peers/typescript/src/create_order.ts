// POST /orders.
import { randomUUID } from "node:crypto";

import { PutCommand } from "@aws-sdk/lib-dynamodb";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";

import { OrderRequest, type OrderCreated } from "./models.js";
import { dynamodb, log, now, ordersTable, publish } from "./shared.js";

export async function handler(
  event: APIGatewayProxyEventV2,
): Promise<APIGatewayProxyStructuredResultV2> {
  const request = OrderRequest.safeParse(JSON.parse(event.body ?? "{}"));
  if (!request.success) {
    return { statusCode: 422, body: JSON.stringify(request.error.issues) };
  }

  const order: OrderCreated = { orderId: randomUUID(), ...request.data };
  await dynamodb.send(
    new PutCommand({
      TableName: ordersTable,
      Item: { ...order, status: "CREATED", updatedAt: now() },
      ConditionExpression: "attribute_not_exists(orderId)",
    }),
  );
  await publish("OrderCreated", order);
  log("order accepted", { orderId: order.orderId });
  return {
    statusCode: 202,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ orderId: order.orderId, status: "CREATED" }),
  };
}

// What all five handlers need.
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

export const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient({}));
const events = new EventBridgeClient({});

export const ordersTable = process.env.ORDERS_TABLE;
export const inventoryTable = process.env.INVENTORY_TABLE;

export async function publish(detailType: string, detail: object): Promise<void> {
  const answer = await events.send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: process.env.EVENT_BUS_NAME,
          Source: process.env.EVENT_SOURCE,
          DetailType: detailType,
          Detail: JSON.stringify(detail),
        },
      ],
    }),
  );
  if (answer.FailedEntryCount) {
    throw new Error(`the bus refused an event: ${JSON.stringify(answer.Entries)}`);
  }
}

export const now = (): string => new Date().toISOString();

export const log = (message: string, fields: object): void =>
  console.log(JSON.stringify({ level: "INFO", message, ...fields }));

// The events, and the body of POST /orders.
import { z } from "zod";

export const OrderRequest = z.object({
  customerId: z.string().min(1).max(128),
  sku: z.string().min(1).max(128),
  quantity: z.number().int().min(1).max(1000).default(1),
  amountCents: z.number().int().min(0),
});

export const OrderCreated = z.object({
  orderId: z.uuid(),
  customerId: z.string(),
  sku: z.string(),
  quantity: z.number().int().min(1),
  amountCents: z.number().int().min(0),
});
export type OrderCreated = z.infer<typeof OrderCreated>;

export const InventoryReserved = OrderCreated.extend({ reservationId: z.uuid() });
export type InventoryReserved = z.infer<typeof InventoryReserved>;

export const PaymentCharged = InventoryReserved.extend({ paymentId: z.uuid() });
export type PaymentCharged = z.infer<typeof PaymentCharged>;

export const PaymentFailed = InventoryReserved.extend({ reason: z.string() });

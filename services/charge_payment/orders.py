"""The conditional write of charge_payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from charge_payment.events import InventoryReserved, PaymentCharged, PaymentFailed
from plumbing.conditional_write import read
from plumbing.publish import Entry
from plumbing.step import Clock, Standing, record, standing, utc_now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OrdersTable:
    """The `orders` table: one item per order, keyed by `orderId`."""

    def __init__(
        self, client: DynamoDBClient, table: str, source: str, clock: Clock = utc_now
    ) -> None:
        self._client, self._table, self._source, self._clock = client, table, source, clock

    def find(self, heard: InventoryReserved) -> Standing:
        """Read where the order stands."""
        item = read(self._client, self._table, {"orderId": str(heard.order_id)})
        return standing(item, _expects(heard))

    def record(self, said: PaymentCharged | PaymentFailed) -> Standing:
        """Record how the charge went, unless that is recorded already."""
        match said:
            case PaymentCharged(payment_id=payment_id):
                adds = {"paymentId": str(payment_id)}
            case PaymentFailed(reason=reason):
                adds = {"failureReason": reason}
        return record(
            self._client,
            self._table,
            {"orderId": str(said.order_id)},
            expects=_expects(said),
            status=said.status,
            event=Entry.of(self._source, said),
            at=self._clock(),
            adds=adds,
        )


def _expects(order: InventoryReserved) -> dict[str, Any]:
    return {
        "status": InventoryReserved.status,
        "customerId": order.customer_id,
        "sku": order.sku,
        "quantity": order.quantity,
        "amountCents": order.amount_cents,
        "reservationId": str(order.reservation_id),
    }

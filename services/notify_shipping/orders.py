"""The conditional write of notify_shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notify_shipping.events import PaymentCharged, ShippingScheduled
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

    def find(self, heard: PaymentCharged) -> Standing:
        """Read where the order stands."""
        item = read(self._client, self._table, {"orderId": str(heard.order_id)})
        return standing(item, _expects(heard))

    def record(self, said: ShippingScheduled) -> Standing:
        """Record the booking, unless it is recorded already."""
        return record(
            self._client,
            self._table,
            {"orderId": str(said.order_id)},
            expects=_expects(said),
            status=said.status,
            event=Entry.of(self._source, said),
            at=self._clock(),
            adds={"trackingNumber": said.tracking_number},
            ends=True,
        )


def _expects(order: PaymentCharged) -> dict[str, Any]:
    return {
        "status": PaymentCharged.status,
        "customerId": order.customer_id,
        "sku": order.sku,
        "quantity": order.quantity,
        "amountCents": order.amount_cents,
        "reservationId": str(order.reservation_id),
        "paymentId": str(order.payment_id),
    }

"""The conditional write of notify_shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notify_shipping.events import PaymentCharged, ShippingScheduled
from plumbing.conditional_write import read
from plumbing.outbox import OutboxEvent
from plumbing.step import Clock, SagaState, expected_fields, record, utc_now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class OrdersTable:
    """The `orders` table: one item per order, keyed by `orderId`."""

    def __init__(
        self, client: DynamoDBClient, table: str, source: str, clock: Clock = utc_now
    ) -> None:
        self._client, self._table, self._source, self._clock = client, table, source, clock

    def find(self, event: PaymentCharged) -> SagaState:
        """Read the state of the order."""
        item = read(self._client, self._table, {"orderId": str(event.order_id)})
        return SagaState.from_item(item, _expected(event))

    def record(self, outgoing: ShippingScheduled) -> SagaState:
        """Record the booking, unless it is recorded already."""
        return record(
            self._client,
            self._table,
            {"orderId": str(outgoing.order_id)},
            expected=_expected(outgoing),
            status=outgoing.status,
            outbox=OutboxEvent.of(self._source, outgoing),
            at=self._clock(),
            adds={"trackingNumber": outgoing.tracking_number},
            final=True,
        )


def _expected(order: PaymentCharged) -> dict[str, Any]:
    return expected_fields(order, PaymentCharged, PaymentCharged.status)

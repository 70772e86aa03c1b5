"""The conditional write of notify_shipping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notify_shipping.events import PaymentCharged, ShippingScheduled
from plumbing.conditional_write import read
from plumbing.outbox import OutboxEvent
from plumbing.step import Clock, SagaState, Transition, record, utc_now

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
        return SagaState.from_item(item, PaymentCharged.status, event.carried)

    def record(self, outgoing: ShippingScheduled) -> SagaState:
        """Record the booking, unless it is recorded already."""
        transition = Transition(
            table=self._table,
            key={"orderId": str(outgoing.order_id)},
            expected=PaymentCharged.status,
            consumed=outgoing.carried,
            status=outgoing.status,
            at=self._clock(),
            adds={"trackingNumber": outgoing.tracking_number},
            final=True,
        )
        return record(self._client, transition, OutboxEvent.of(self._source, outgoing))

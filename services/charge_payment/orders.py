"""The conditional write of charge_payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from charge_payment.events import InventoryReserved, PaymentCharged, PaymentFailed
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

    def find(self, event: InventoryReserved) -> SagaState:
        """Read the state of the order."""
        item = read(self._client, self._table, {"orderId": str(event.order_id)})
        return SagaState.from_item(item, InventoryReserved.status, event.carried)

    def record(self, outgoing: PaymentCharged | PaymentFailed) -> SagaState:
        """Record the result of the charge, unless it is recorded already."""
        match outgoing:
            case PaymentCharged(payment_id=payment_id):
                adds = {"paymentId": str(payment_id)}
            case PaymentFailed(reason=reason):
                adds = {"failureReason": reason}
        transition = Transition(
            table=self._table,
            key={"orderId": str(outgoing.order_id)},
            expected=InventoryReserved.status,
            consumed=outgoing.carried,
            status=outgoing.status,
            at=self._clock(),
            adds=adds,
        )
        return record(self._client, transition, OutboxEvent.of(self._source, outgoing))

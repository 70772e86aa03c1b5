"""The events that charge_payment consumes and publishes, and its part in the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class InventoryReserved(Event, frozen=True, kw_only=True):
    """Consumed: the units of an order are held."""

    status: ClassVar[str] = "INVENTORY_RESERVED"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID


class PaymentCharged(InventoryReserved, frozen=True, kw_only=True):
    """Published: the card is charged; from here the order only goes forward."""

    status: ClassVar[str] = "PAYMENT_CHARGED"

    payment_id: UUID


class PaymentFailed(InventoryReserved, frozen=True, kw_only=True):
    """Published: no money was taken, and the held units must be released."""

    status: ClassVar[str] = "PAYMENT_FAILED"

    reason: str


PARTICIPANT = Participant(
    consumes=InventoryReserved,
    steps=(
        Step(publishes=PaymentCharged, pivot=True),
        Step(publishes=PaymentFailed, failure=True),
    ),
)

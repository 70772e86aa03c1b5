"""The event that release_inventory consumes; it publishes none, because it ends the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class PaymentFailed(Event, frozen=True, kw_only=True):
    """Consumed: no money was taken for an order whose units are held."""

    status: ClassVar[str] = "PAYMENT_FAILED"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID
    reason: str


RELEASED = "INVENTORY_RELEASED"

PARTICIPANT = Participant(
    consumes=PaymentFailed,
    steps=(Step(status=RELEASED, final=True),),
    compensates="INVENTORY_RESERVED",
)

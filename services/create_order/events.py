"""The event that create_order publishes, and its part in the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class OrderCreated(Event, frozen=True, kw_only=True):
    """An order was accepted and stored."""

    status: ClassVar[str] = "CREATED"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]


PARTICIPANT = Participant(
    consumes=None,
    steps=(Step(publishes=OrderCreated),),
)

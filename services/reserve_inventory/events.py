"""The events that reserve_inventory consumes and publishes, and its part in the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class OrderCreated(Event, frozen=True, kw_only=True):
    """Consumed: an order was accepted."""

    status: ClassVar[str] = "CREATED"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]


class InventoryReserved(OrderCreated, frozen=True, kw_only=True):
    """Published: the units are held for this order."""

    status: ClassVar[str] = "INVENTORY_RESERVED"

    reservation_id: UUID


class InventoryFailed(OrderCreated, frozen=True, kw_only=True):
    """Published: nothing is held, and the order ends here."""

    status: ClassVar[str] = "INVENTORY_FAILED"

    reason: str


PARTICIPANT = Participant(
    consumes=OrderCreated,
    steps=(
        Step(publishes=InventoryReserved),
        Step(publishes=InventoryFailed, failure=True, final=True),
    ),
)

"""What release_inventory hears; it says nothing, because it ends the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from plumbing.part import Part
from plumbing.trace import Moment, Traceparent


class PaymentFailed(Struct, frozen=True, kw_only=True, rename="camel"):
    """Heard: no money was taken for an order whose units are held."""

    status: ClassVar[str] = "PAYMENT_FAILED"

    order_id: UUID
    created_at: Moment
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID
    reason: str


RELEASED = "INVENTORY_RELEASED"

PART = Part(hears=PaymentFailed, ends=(RELEASED,), compensates="INVENTORY_RESERVED")

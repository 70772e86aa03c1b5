"""What create_order says."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from plumbing.part import Part
from plumbing.trace import Moment, Traceparent


class OrderCreated(Struct, frozen=True, kw_only=True, rename="camel"):
    """An order was accepted and stored."""

    status: ClassVar[str] = "CREATED"

    order_id: UUID
    created_at: Moment
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]


PART = Part(hears=None, says=(OrderCreated,))

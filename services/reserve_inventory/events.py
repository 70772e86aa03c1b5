"""What reserve_inventory hears and says."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from plumbing.part import Part
from plumbing.trace import Moment, Traceparent


class OrderCreated(Struct, frozen=True, kw_only=True, rename="camel"):
    """Heard: an order was accepted."""

    status: ClassVar[str] = "CREATED"

    order_id: UUID
    created_at: Moment
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]


class InventoryReserved(OrderCreated, frozen=True, kw_only=True, rename="camel"):
    """Said: the units are held for this order."""

    status: ClassVar[str] = "INVENTORY_RESERVED"

    reservation_id: UUID


class InventoryFailed(OrderCreated, frozen=True, kw_only=True, rename="camel"):
    """Said: nothing is held, and the order ends here."""

    status: ClassVar[str] = "INVENTORY_FAILED"

    reason: str


PART = Part(
    hears=OrderCreated,
    says=(InventoryReserved, InventoryFailed),
    failures=(InventoryFailed,),
    ends=(InventoryFailed.status,),
)

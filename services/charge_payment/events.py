"""What charge_payment hears and says."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from plumbing.part import Part
from plumbing.trace import Moment, Traceparent


class InventoryReserved(Struct, frozen=True, kw_only=True, rename="camel"):
    """Heard: the units of an order are held."""

    status: ClassVar[str] = "INVENTORY_RESERVED"

    order_id: UUID
    created_at: Moment
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID


class PaymentCharged(InventoryReserved, frozen=True, kw_only=True, rename="camel"):
    """Said: the money is ours; from here the order only goes forward."""

    status: ClassVar[str] = "PAYMENT_CHARGED"

    payment_id: UUID


class PaymentFailed(InventoryReserved, frozen=True, kw_only=True, rename="camel"):
    """Said: no money was taken, and what is held must be given back."""

    status: ClassVar[str] = "PAYMENT_FAILED"

    reason: str


PART = Part(
    hears=InventoryReserved,
    says=(PaymentCharged, PaymentFailed),
    failures=(PaymentFailed,),
    pivot=PaymentCharged,
)

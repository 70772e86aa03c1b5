"""What notify_shipping hears and says."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta, Struct

from plumbing.part import Part
from plumbing.trace import Moment, Traceparent


class PaymentCharged(Struct, frozen=True, kw_only=True, rename="camel"):
    """Heard: an order is paid for."""

    status: ClassVar[str] = "PAYMENT_CHARGED"

    order_id: UUID
    created_at: Moment
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID
    payment_id: UUID


class ShippingScheduled(PaymentCharged, frozen=True, kw_only=True, rename="camel"):
    """Said: the carrier will come, and the order ends here."""

    status: ClassVar[str] = "SHIPPING_SCHEDULED"

    tracking_number: Annotated[str, Meta(pattern="^TRK-[0-9A-F]{8}$")]


PART = Part(hears=PaymentCharged, says=(ShippingScheduled,), ends=(ShippingScheduled.status,))

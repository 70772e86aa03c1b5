"""The events that notify_shipping consumes and publishes, and its part in the saga."""

from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from plumbing.event import Event
from plumbing.participant import Participant, Step
from plumbing.trace import Timestamp, Traceparent


class PaymentCharged(Event, frozen=True, kw_only=True):
    """Consumed: an order is paid for."""

    status: ClassVar[str] = "PAYMENT_CHARGED"

    order_id: UUID
    created_at: Timestamp
    traceparent: Traceparent
    customer_id: str
    sku: str
    quantity: Annotated[int, Meta(ge=1)]
    amount_cents: Annotated[int, Meta(ge=0)]
    reservation_id: UUID
    payment_id: UUID


class ShippingScheduled(PaymentCharged, frozen=True, kw_only=True):
    """Published: the shipment is booked, and the order ends here."""

    status: ClassVar[str] = "SHIPPING_SCHEDULED"

    # Any carrier's number: each has a form of its own.
    tracking_number: Annotated[str, Meta(min_length=1, max_length=64)]


PARTICIPANT = Participant(
    consumes=PaymentCharged,
    steps=(Step(publishes=ShippingScheduled, final=True),),
)

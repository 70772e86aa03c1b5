"""The events, and the body of POST /orders."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class OrderRequest(Model):
    customer_id: str = Field(min_length=1, max_length=128)
    sku: str = Field(min_length=1, max_length=128)
    quantity: int = Field(default=1, ge=1, le=1000)
    amount_cents: int = Field(ge=0)


class OrderCreated(Model):
    order_id: UUID
    customer_id: str
    sku: str
    quantity: int = Field(ge=1)
    amount_cents: int = Field(ge=0)


class InventoryReserved(OrderCreated):
    reservation_id: UUID


class InventoryFailed(OrderCreated):
    reason: str


class PaymentCharged(InventoryReserved):
    payment_id: UUID


class PaymentFailed(InventoryReserved):
    reason: str


class ShippingScheduled(PaymentCharged):
    tracking_number: str

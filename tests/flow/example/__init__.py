"""A frozen saga for the tests of the flow's tools: they stay green when this project's saga grows.

`templates.json` has the resources that matter of the synthesized templates, `contracts.json` the
detail of a sample and the schema of each event.
"""

import json
from pathlib import Path
from typing import ClassVar

from harness.flow.read import Found
from plumbing.event import Event
from plumbing.participant import Participant, Step

FOLDER = Path(__file__).parent


class OrderCreated(Event, frozen=True):
    """An order was accepted and stored."""

    status: ClassVar[str] = "CREATED"


class InventoryReserved(Event, frozen=True):
    """Published: the units are held for this order."""

    status: ClassVar[str] = "INVENTORY_RESERVED"


class InventoryFailed(Event, frozen=True):
    """Published: nothing is held, and the order ends here."""

    status: ClassVar[str] = "INVENTORY_FAILED"


class PaymentCharged(Event, frozen=True):
    """Published: the card is charged; from here the order only goes forward."""

    status: ClassVar[str] = "PAYMENT_CHARGED"


class PaymentFailed(Event, frozen=True):
    """Published: no money was taken, and the held units must be released."""

    status: ClassVar[str] = "PAYMENT_FAILED"


class ShippingScheduled(Event, frozen=True):
    """Published: the shipment is booked, and the order ends here."""

    status: ClassVar[str] = "SHIPPING_SCHEDULED"


PARTICIPANTS = {
    "charge_payment": Participant(
        consumes=InventoryReserved,
        steps=(Step(PaymentCharged, pivot=True), Step(PaymentFailed, failure=True)),
    ),
    "create_order": Participant(consumes=None, steps=(Step(OrderCreated),)),
    "notify_shipping": Participant(
        consumes=PaymentCharged, steps=(Step(ShippingScheduled, final=True),)
    ),
    "release_inventory": Participant(
        consumes=PaymentFailed,
        steps=(Step(status="INVENTORY_RELEASED", final=True),),
        compensates="INVENTORY_RESERVED",
    ),
    "reserve_inventory": Participant(
        consumes=OrderCreated,
        steps=(Step(InventoryReserved), Step(InventoryFailed, failure=True, final=True)),
    ),
    "resume_orders": Participant(consumes=None, republishes=True),
}

SUMMARIES = {
    "charge_payment": "Charge the card of an order, once: the pivot of the saga.",
    "create_order": "Take orders over HTTP, store each one and publish it.",
    "notify_shipping": "Book the shipment of a charged order.",
    "release_inventory": "Compensate: release the stock of an order whose payment failed.",
    "reserve_inventory": "Hold the stock of an order, all or nothing.",
    "resume_orders": "Publish again the last event of every order that is stalled.",
}


def found() -> Found:
    """Return what the example's flow is read from."""
    contracts = json.loads((FOLDER / "contracts.json").read_text())
    return Found(
        participants=dict(PARTICIPANTS),
        summaries=SUMMARIES,
        templates=json.loads((FOLDER / "templates.json").read_text()),
        operations=("POST /orders", "GET /orders/{orderId}"),
        contracts={name: (sample, schema) for name, (sample, schema) in contracts.items()},
    )

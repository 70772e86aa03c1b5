"""The events on the wire: who says each, who hears it, and the files that hold them to it.

For each event `events/` has a sample, as EventBridge delivers it, written by hand: the contract.
The JSON Schema beside it and openapi.json are generated from the producers' structs.
"""

from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

import charge_payment.events
import create_order.events
import notify_shipping.events
import release_inventory.events
import reserve_inventory.events

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Contract:
    """One event: the struct its producer says, and the struct each consumer hears."""

    said: type[Struct]
    said_by: str
    heard: dict[str, type[Struct]]

    @property
    def detail_type(self) -> str:
        """Answer the event's name on the wire."""
        return self.said.__name__

    @property
    def sample(self) -> Path:
        """Answer where the sample is."""
        return FOLDER / "events" / f"{self.detail_type}.sample.json"

    @property
    def schema(self) -> Path:
        """Answer where the schema of the detail is."""
        return FOLDER / "events" / f"{self.detail_type}.schema.json"


CONTRACTS = (
    Contract(
        create_order.events.OrderCreated,
        "create_order",
        {"reserve_inventory": reserve_inventory.events.OrderCreated},
    ),
    Contract(
        reserve_inventory.events.InventoryReserved,
        "reserve_inventory",
        {"charge_payment": charge_payment.events.InventoryReserved},
    ),
    Contract(reserve_inventory.events.InventoryFailed, "reserve_inventory", {}),
    Contract(
        charge_payment.events.PaymentCharged,
        "charge_payment",
        {"notify_shipping": notify_shipping.events.PaymentCharged},
    ),
    Contract(
        charge_payment.events.PaymentFailed,
        "charge_payment",
        {"release_inventory": release_inventory.events.PaymentFailed},
    ),
    Contract(notify_shipping.events.ShippingScheduled, "notify_shipping", {}),
)

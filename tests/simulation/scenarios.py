"""What is explored: orders, stock, and how much may go wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from contracts import CONTRACTS
from plumbing.step import format_timestamp
from plumbing.trace import traceparent
from tests.simulation.code import Code
from tests.simulation.machine import Machine
from tests.simulation.state import MORNING, Budget, Order
from tests.world import sample

NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Scenario:
    """Some orders, the stock that they meet, and the bounds of what may happen to them."""

    name: str
    orders: Sequence[Order]
    stock: Mapping[str, int]
    budget: Budget
    forgeries: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    ahead: timedelta = timedelta(0)  # of the clock of create_order

    def machine(self, code: Code) -> Machine:
        """Return the machine that runs this with some version of the code."""
        return Machine(code, self.orders, self.stock, self.budget, self.forgeries, ahead=self.ahead)

    @property
    def bounds(self) -> str:
        """Return the bounds in words."""
        many = {"losses": "loss", "forgeries": "forgery"}
        words = []
        for name, count in self.budget._asdict().items():
            if count and name != "at_once":
                one = many.get(name, name.removesuffix("s"))
                words.append(f"{count} {one if count == 1 else name}")
        return ", ".join(words)


HAPPY = Order("CUST-1", "COFFEE", quantity=2)
DECLINED = Order("CUST-DECLINE", "COFFEE", quantity=2)
SOLD_OUT = Order("CUST-1", "OUT-OF-STOCK")
STOCK = {"COFFEE": 3, "TEA": 3, "OUT-OF-STOCK": 0}


def _forgeries(order: Order) -> Iterator[dict[str, Any]]:
    """Yield events of every consumed type: exact ones, and each with one false field."""
    for detail_type in ("OrderCreated", "InventoryReserved", "PaymentCharged", "PaymentFailed"):
        yield forged(detail_type, order)
        lies: dict[str, Any] = {"amountCents": 1, "quantity": 1, "sku": "TEA", "customerId": "YOU"}
        if detail_type != "OrderCreated":
            lies["reservationId"] = NOBODY
        if detail_type == "PaymentCharged":
            lies["paymentId"] = NOBODY
        for name, lie in lies.items():
            yield forged(detail_type, order, **{name: lie})


def forged(detail_type: str, order: Order, **fields: Any) -> dict[str, Any]:
    """Return an event of an order as a forger who knows its fields could publish it."""
    contract = next(c for c in CONTRACTS if c.detail_type == detail_type)
    true = {
        "orderId": order.id,
        "createdAt": format_timestamp(MORNING),
        "traceparent": traceparent(None, otherwise=UUID(order.id)),
        "customerId": order.customer,
        "sku": order.sku,
        "quantity": order.quantity,
        "amountCents": order.amount,
        "reservationId": str(uuid5(UUID(order.id), "reservation")),
        "paymentId": str(uuid5(NAMESPACE_URL, f"payment {order.id}")),
        "reason": "card declined",
    }
    # A field with a default, which the sample has too, is absent: the customer sent none.
    known = json.loads(contract.sample.read_text())["detail"]
    detail = {name: true[name] for name in known if name in true}
    return {**sample(detail_type), "detail": {**detail, **fields}, "text": "forged"}


# In the order of what they cost: the first are what to run while editing.
SCENARIOS = (
    Scenario("sold out", [SOLD_OUT], STOCK, Budget(faults=2, duplicates=1)),
    Scenario("declined", [DECLINED], STOCK, Budget(faults=2, duplicates=1)),
    Scenario("happy", [HAPPY], STOCK, Budget(faults=2, duplicates=1)),
    Scenario("a day, happy", [HAPPY], STOCK, Budget(faults=1, duplicates=1, days=1)),
    Scenario("a day, declined", [DECLINED], STOCK, Budget(faults=1, duplicates=1, days=1)),
    Scenario("lost, happy", [HAPPY], STOCK, Budget(faults=1, losses=1, duplicates=1)),
    Scenario("lost, declined", [DECLINED], STOCK, Budget(faults=1, losses=1, duplicates=1)),
    Scenario("without a key", [HAPPY._replace(has_key=False)], STOCK, Budget(faults=2)),
    Scenario("key used twice", [HAPPY, HAPPY], STOCK, Budget(faults=1)),
    Scenario("key of another", [HAPPY, HAPPY._replace(amount=1)], STOCK, Budget(faults=1)),
    Scenario(
        "last unit",
        [Order("CUST-1", "LAST"), Order("CUST-2", "LAST")],
        {"LAST": 1},
        Budget(faults=1),
    ),
    Scenario(
        "last unit, one declined",
        [Order("CUST-1", "LAST"), Order("CUST-DECLINE", "LAST")],
        {"LAST": 1},
        Budget(faults=1, duplicates=1),
    ),
    Scenario("swept, happy", [HAPPY], STOCK, Budget(faults=1, duplicates=1, sweeps=1)),
    Scenario("swept, declined", [DECLINED], STOCK, Budget(faults=1, duplicates=1, sweeps=1)),
    Scenario(
        "scheduled sweep, happy",
        [HAPPY],
        STOCK,
        Budget(losses=1, ticks=2, waits=2, lags=1),
    ),
    Scenario(
        "scheduled sweep, declined",
        [DECLINED],
        STOCK,
        Budget(faults=1, losses=1, ticks=2, waits=1),
    ),
    Scenario(
        "a clock that is ahead",
        [HAPPY],
        STOCK,
        Budget(losses=1, ticks=1, waits=1, sweeps=1),
        ahead=timedelta(days=3650),
    ),
    Scenario(
        "forged, happy",
        [HAPPY],
        STOCK,
        Budget(faults=1, forgeries=1),
        list(_forgeries(HAPPY)),
    ),
    Scenario(
        "forged, declined",
        [DECLINED],
        STOCK,
        Budget(faults=1, forgeries=1),
        list(_forgeries(DECLINED)),
    ),
)

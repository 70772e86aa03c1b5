"""What is explored: orders, stock, and how much may go wrong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.code import Code
from tests.simulation.machine import Budget, Machine, Order, forged

NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Scenario:
    """Some orders, the stock that they meet, and the bounds of what may happen to them."""

    name: str
    orders: Sequence[Order]
    stock: Mapping[str, int]
    budget: Budget
    forgeries: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    def machine(self, code: Code) -> Machine:
        """Answer the machine that runs this with some version of the code."""
        return Machine(code, self.orders, self.stock, self.budget, self.forgeries)

    @property
    def bounds(self) -> str:
        """Put the bounds into words."""
        many = {"losses": "loss", "forgeries": "forgery"}
        said = []
        for name, count in self.budget._asdict().items():
            if count and name != "at_once":
                one = many.get(name, name.removesuffix("s"))
                said.append(f"{count} {one if count == 1 else name}")
        return ", ".join(said)


HAPPY = Order("CUST-1", "COFFEE", quantity=2)
DECLINED = Order("CUST-DECLINE", "COFFEE", quantity=2)
SOLD_OUT = Order("CUST-1", "OUT-OF-STOCK")
ON_SHELF = {"COFFEE": 3, "TEA": 3, "OUT-OF-STOCK": 0}


def _forgeries(order: Order) -> Iterator[dict[str, Any]]:
    """Yield events of every type that is heard: exact ones, and each with one field that lies."""
    for detail_type in ("OrderCreated", "InventoryReserved", "PaymentCharged", "PaymentFailed"):
        yield forged(detail_type, order)
        lies: dict[str, Any] = {"amountCents": 1, "quantity": 1, "sku": "TEA", "customerId": "YOU"}
        if detail_type != "OrderCreated":
            lies["reservationId"] = NOBODY
        if detail_type == "PaymentCharged":
            lies["paymentId"] = NOBODY
        for name, lie in lies.items():
            yield forged(detail_type, order, **{name: lie})


# In the order of what they cost: the first are what to run while editing.
SCENARIOS = (
    Scenario("sold out", [SOLD_OUT], ON_SHELF, Budget(faults=2, duplicates=1)),
    Scenario("declined", [DECLINED], ON_SHELF, Budget(faults=2, duplicates=1)),
    Scenario("happy", [HAPPY], ON_SHELF, Budget(faults=2, duplicates=1)),
    Scenario(
        "provider forgets",
        [DECLINED],
        ON_SHELF,
        Budget(faults=1, duplicates=1, forgettings=1),
    ),
    Scenario("lost, happy", [HAPPY], ON_SHELF, Budget(faults=1, losses=1, duplicates=1)),
    Scenario("lost, declined", [DECLINED], ON_SHELF, Budget(faults=1, losses=1, duplicates=1)),
    Scenario("key used twice", [HAPPY, HAPPY], ON_SHELF, Budget(faults=1)),
    Scenario("key of another", [HAPPY, HAPPY._replace(amount=1)], ON_SHELF, Budget(faults=1)),
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
    Scenario("swept, happy", [HAPPY], ON_SHELF, Budget(faults=1, duplicates=1, sweeps=1)),
    Scenario("swept, declined", [DECLINED], ON_SHELF, Budget(faults=1, duplicates=1, sweeps=1)),
    Scenario(
        "forged, happy",
        [HAPPY],
        ON_SHELF,
        Budget(faults=1, forgeries=1),
        list(_forgeries(HAPPY)),
    ),
    Scenario(
        "forged, declined",
        [DECLINED],
        ON_SHELF,
        Budget(faults=1, forgeries=1),
        list(_forgeries(DECLINED)),
    ),
)

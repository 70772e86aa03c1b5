"""Every guard in the code, and how to take it away; each must be missed by some exploration.

A guard that could go without anything failing would be either idle, or not explored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.code import Code, Edit
from tests.simulation.explore import Explored, explore
from tests.simulation.machine import Machine
from tests.simulation.scenarios import SCENARIOS, Scenario

CREATE, RESERVE = "services/create_order", "services/reserve_inventory"
CHARGE, NOTIFY = "services/charge_payment", "services/notify_shipping"
RELEASE, RESUME = "services/release_inventory", "services/resume_orders"
TOLD = "told(heard, PaymentFailed, PaymentFailed.status)"
ENTRY = '__import__("plumbing.publish", fromlist=["Entry"]).Entry'


@dataclass(frozen=True)
class Guard:
    """What the code is careful about, and the edits after which it is not."""

    name: str
    edits: Sequence[Edit]
    first: str = ""  # the scenario to look in first


@dataclass(frozen=True)
class Caught:
    """The scenario in which a missing guard was noticed, and how."""

    scenario: Scenario
    machine: Machine
    explored: Explored


def _without_status(expects: str) -> str:
    return f"{{n: v for n, v in {expects}.items() if n != 'status'}}"


def _apart(file: str) -> Edit:
    """Let the order and the units be written one after the other."""
    return Edit(
        file,
        "verdicts = write_together(self._client, [order, units])",
        "verdicts = write_together(self._client, [units])\n"
        "        if verdicts is not None:\n"
        "            verdicts = [None, *verdicts]\n"
        "        else:\n"
        "            verdicts = write_together(self._client, [order])\n"
        "            verdicts = None if verdicts is None else [*verdicts, None]",
    )


GUARDS = (
    Guard(
        "an order is put only where there is none",
        [Edit("plumbing/conditional_write.py", '{"#key": key}', '{"#key": "nothing"}')],
    ),
    Guard(
        "a key that comes with another body is refused",
        [Edit(f"{CREATE}/orders.py", "if any(stored.get", "if False and any(stored.get")],
        first="key of another",
    ),
    Guard(
        "an order's id follows from its key",
        [Edit(f"{CREATE}/api.py", "return uuid5(ORDERS, idempotency_key)", "return uuid4()")],
    ),
    Guard(
        "an order that was stored before is said again",
        [
            Edit(
                f"{CREATE}/orders.py",
                'return Standing(stored["status"], msgspec',
                'return Standing("SEEN IT", msgspec',
            )
        ],
    ),
    Guard(
        "an order is stored before it is said",
        [
            Edit(
                f"{CREATE}/create_order.py",
                "standing = orders.create(said)",
                f'publish({ENTRY}.of("orders.create_order", said))\n'
                "    standing = orders.create(said)",
            )
        ],
    ),
    Guard(
        "units are taken only if there are enough",
        [Edit(f"{RESERVE}/orders.py", '"#available >= :units"', '"attribute_exists(#available)"')],
    ),
    Guard(
        "units are held only for an order that is CREATED",
        [
            Edit(
                f"{RESERVE}/orders.py",
                "return told(order, OrderCreated, OrderCreated.status)",
                f"return {_without_status('told(order, OrderCreated, OrderCreated.status)')}",
            )
        ],
    ),
    Guard("units and order are written together", [_apart(f"{RESERVE}/orders.py")]),
    Guard(
        "what was reserved before is said again",
        [
            Edit(
                f"{RESERVE}/orders.py",
                "return standing(of_order.item, expects) if of_order else None",
                'return Standing("SEEN IT", event) if of_order else None',
            )
        ],
    ),
    Guard(
        "that there are too few units is stored, not only said",
        [
            Edit(
                f"{RESERVE}/reserve_inventory.py",
                'standing = orders.fail(InventoryFailed(**order, reason="out of stock"))',
                'said = InventoryFailed(**order, reason="out of stock")\n'
                f'        event = {ENTRY}.of("orders.reserve_inventory", said)\n'
                "        standing = Standing(said.status, event)",
            )
        ],
    ),
    Guard(
        "a card is charged only while the order is INVENTORY_RESERVED",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "if standing.status == InventoryReserved.status:",
                "if True:",
            )
        ],
        first="provider forgets",
    ),
    Guard(
        "the provider gets the order's id as its key",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "idempotency_key=heard.order_id,",
                "idempotency_key=None,",
            )
        ],
        first="happy",
    ),
    Guard(
        "a decline is stored, not only said",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "standing = orders.record(PaymentFailed(**asdict(heard), reason=reason))",
                "said = PaymentFailed(**asdict(heard), reason=reason)\n"
                f'                event = {ENTRY}.of("orders.charge_payment", said)\n'
                "                standing = Standing(said.status, event)",
            )
        ],
    ),
    Guard(
        "a charge is recorded only on an order that is INVENTORY_RESERVED",
        [
            Edit(
                f"{CHARGE}/orders.py",
                "expects=_expects(said),",
                f"expects={_without_status('_expects(said)')},",
            )
        ],
    ),
    Guard(
        "goods are sent only while the order is PAYMENT_CHARGED",
        [
            Edit(
                f"{NOTIFY}/notify_shipping.py",
                "if standing.status == PaymentCharged.status:",
                "if True:",
            )
        ],
        first="forged, happy",
    ),
    Guard(
        "the carrier gets the order's id as its key",
        [
            Edit(
                f"{NOTIFY}/notify_shipping.py",
                "idempotency_key=heard.order_id,",
                "idempotency_key=None,",
            )
        ],
        first="happy",
    ),
    Guard(
        "a booking is recorded only on an order that is PAYMENT_CHARGED",
        [
            Edit(
                f"{NOTIFY}/orders.py",
                "expects=_expects(said),",
                f"expects={_without_status('_expects(said)')},",
            )
        ],
        first="happy",
    ),
    Guard(
        "what was charged or booked before is said again",
        [
            Edit(
                "plumbing/step.py",
                "return standing(refused.item, expects) if refused",
                'return Standing("SEEN IT", event) if refused',
            )
        ],
    ),
    Guard(
        "units go back only for an order that is PAYMENT_FAILED",
        [Edit(f"{RELEASE}/orders.py", TOLD, _without_status(TOLD))],
    ),
    Guard("units go back together with the order's end", [_apart(f"{RELEASE}/orders.py")]),
    Guard(
        "an entry that the bus refuses is an error",
        [
            Edit(
                "plumbing/publish.py",
                'if refused or answer["FailedEntryCount"]:',
                "if False:",
            )
        ],
    ),
    Guard(
        "all that an event tells is compared with what is stored",
        [
            Edit(
                "plumbing/step.py",
                'return {"status": status, **told}',
                'return {"status": status}',
            ),
            Edit(
                f"{RELEASE}/orders.py",
                'expects["failureReason"] = expects.pop("reason")',
                "pass",
            ),
        ],
        first="forged, happy",
    ),
    Guard(
        "an event that differs from what is stored is an error",
        [Edit("plumbing/step.py", 'if differing and "status" not in differing:', "if False:")],
        first="forged, happy",
    ),
    Guard(
        "an open order is in the index that the sweep reads",
        [Edit(f"{CREATE}/orders.py", "            **opened(said.order_id),\n", "")],
    ),
    Guard(
        "an order that ends leaves the index",
        [Edit("plumbing/step.py", '["openShard"] if ends else []', "[]")],
    ),
    Guard(
        "the sweep touches an order only as it read it",
        [
            Edit(
                f"{RESUME}/orders.py",
                'condition=f"#status = :status AND attribute_exists(#openShard) AND {rests}",',
                'condition="attribute_exists(#status)",',
            ),
            Edit(
                f"{RESUME}/orders.py",
                '("status", "openShard", "due", *changes)',
                '("status", *changes)',
            ),
            Edit(f"{RESUME}/orders.py", '":status": order.status,', ""),
            Edit(f"{RESUME}/orders.py", '**({":seen": order.due} if order.due else {}),', ""),
        ],
        first="swept, happy",
    ),
    Guard(
        "the sweep says again what is stored",
        [Edit(f"{RESUME}/resume_orders.py", "        publish(order.event)\n", "        pass\n")],
        first="lost, happy",
    ),
)


def hunt(guard: Guard) -> Caught | None:
    """Explore without a guard, one scenario after the other, until something does not hold."""
    code = Code(guard.edits)
    for scenario in sorted(SCENARIOS, key=lambda scenario: scenario.name != guard.first):
        machine = scenario.machine(code)
        explored = explore(machine)
        if explored.story:
            return Caught(scenario, machine, explored)
    return None

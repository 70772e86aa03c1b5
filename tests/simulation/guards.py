"""Every guard in the code, and how to remove it; some exploration must fail without each.

A guard that could be removed without a failure would be either idle, or not explored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.code import Code, Edit
from tests.simulation.explore import Explored, explore
from tests.simulation.invariants import Judge
from tests.simulation.machine import Machine
from tests.simulation.scenarios import SCENARIOS, Scenario

CREATE, RESERVE = "services/create_order", "services/reserve_inventory"
CHARGE, NOTIFY = "services/charge_payment", "services/notify_shipping"
RELEASE, RESUME = "services/release_inventory", "services/resume_orders"
OUTBOX_EVENT = '__import__("plumbing.outbox", fromlist=["OutboxEvent"]).OutboxEvent'


@dataclass(frozen=True)
class Guard:
    """What the code guards against, and the edits that remove the guard."""

    name: str
    edits: Sequence[Edit]
    first: str = ""  # the scenario to look in first


@dataclass(frozen=True)
class Caught:
    """The scenario in which a missing guard was noticed, and how."""

    scenario: Scenario
    machine: Machine
    explored: Explored


def _whatever_status(file: str, status: str) -> Sequence[Edit]:
    """Let a service make its step whatever the order's status and last event."""
    return [
        Edit(file, f"expected={status},", 'expected="ANY",'),
        Edit(
            "plumbing/step.py",
            'condition=f"#status = :expected AND #outbox.#{compared} = :consumed",',
            'condition="attribute_exists(#status)" if transition.expected == "ANY" else\n'
            '        f"#status = :expected AND #outbox.#{compared} = :consumed",',
        ),
        Edit(
            "plumbing/step.py",
            '(*sets, "outbox", compared, "history", *removes)',
            '(*sets, *(("outbox", compared) if transition.expected != "ANY" else ()),'
            ' "history", *removes)',
        ),
        Edit(
            "plumbing/step.py",
            '            ":expected": transition.expected,\n            ":consumed": value,\n',
            '            **({":expected": transition.expected, ":consumed": value}'
            ' if transition.expected != "ANY" else {}),\n',
        ),
    ]


# Lets the order and the units be written one after the other.
APART = Edit(
    "plumbing/step.py",
    "    results = transact(client, [update, *others])\n",
    "    results = transact(client, [*others])\n"
    "    if results is not None:\n"
    "        results = [None, *results]\n"
    "    else:\n"
    "        results = transact(client, [update])\n",
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
        "an order that was stored before is published again",
        [
            Edit(
                f"{CREATE}/orders.py",
                "return SagaState.stored(stored)",
                'return SagaState.stored({**stored, "status": "SEEN IT"})',
            )
        ],
    ),
    Guard(
        "an order is stored before it is published",
        [
            Edit(
                f"{CREATE}/create_order.py",
                "state = orders.create(order)",
                f'publish({OUTBOX_EVENT}.of("orders.create_order", order))\n'
                "    state = orders.create(order)",
            )
        ],
    ),
    Guard(
        "an order that is stored is accepted, whatever the bus does",
        [
            Edit(
                f"{CREATE}/create_order.py",
                "except (PublishError, *CALL_ERRORS) as error:",
                "except ZeroDivisionError as error:",
            )
        ],
    ),
    Guard(
        "a customer without a key is told where to look for the order",
        [Edit(f"{CREATE}/api.py", 'error, {"Location": where})', "error)")],
        first="without a key",
    ),
    Guard(
        "that an order is not published is logged and measured",
        [
            Edit(
                f"{CREATE}/create_order.py",
                'log_unpublished("order not published", ',
                "(lambda *_, **__: None)(",
            )
        ],
    ),
    Guard(
        "units are taken only if there are enough",
        [Edit(f"{RESERVE}/orders.py", '"#available >= :units"', '"attribute_exists(#available)"')],
    ),
    Guard(
        "units are held only for an order that is CREATED",
        _whatever_status(f"{RESERVE}/orders.py", "OrderCreated.status"),
    ),
    Guard("units and order are written together", [APART], first="declined"),
    Guard(
        "that there are too few units is stored, not only published",
        [
            Edit(
                f"{RESERVE}/reserve_inventory.py",
                'state = orders.fail(InventoryFailed(**order, reason="out of stock"))',
                'outgoing = InventoryFailed(**order, reason="out of stock")\n'
                f'        outbox = {OUTBOX_EVENT}.of("orders.reserve_inventory", outgoing)\n'
                "        state = SagaState(outgoing.status, outbox, event.created_at)",
            )
        ],
    ),
    Guard(
        "a card is charged only while the order is INVENTORY_RESERVED",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "if state.status == InventoryReserved.status:",
                "if True:",
            )
        ],
        first="a day, declined",
    ),
    Guard(
        "a late charge is asked for before it is made",
        [Edit(f"{CHARGE}/charge_payment.py", "if is_late else None", "if False else None")],
        first="a day, happy",
    ),
    Guard(
        "the provider gets the order's id as its key",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "idempotency_key=event.order_id,",
                "idempotency_key=None,",
            )
        ],
        first="happy",
    ),
    Guard(
        "a decline is stored, not only published",
        [
            Edit(
                f"{CHARGE}/charge_payment.py",
                "state = orders.record(PaymentFailed(**asdict(event), reason=reason))",
                "outgoing = PaymentFailed(**asdict(event), reason=reason)\n"
                f'                outbox = {OUTBOX_EVENT}.of("orders.charge_payment", outgoing)\n'
                "                state = SagaState(outgoing.status, outbox, now)",
            )
        ],
    ),
    Guard(
        "a charge is recorded only on an order that is INVENTORY_RESERVED",
        _whatever_status(f"{CHARGE}/orders.py", "InventoryReserved.status"),
    ),
    Guard(
        "goods are sent only while the order is PAYMENT_CHARGED",
        [
            Edit(
                f"{NOTIFY}/notify_shipping.py",
                "if state.status == PaymentCharged.status:",
                "if True:",
            )
        ],
        first="forged, happy",
    ),
    Guard(
        "a late booking is asked for before it is made",
        [Edit(f"{NOTIFY}/notify_shipping.py", "if is_late else None", "if False else None")],
        first="a day, happy",
    ),
    Guard(
        "the carrier gets the order's id as its key",
        [
            Edit(
                f"{NOTIFY}/notify_shipping.py",
                "idempotency_key=event.order_id,",
                "idempotency_key=None,",
            )
        ],
        first="happy",
    ),
    Guard(
        "a booking is recorded only on an order that is PAYMENT_CHARGED",
        _whatever_status(f"{NOTIFY}/orders.py", "PaymentCharged.status"),
        first="happy",
    ),
    Guard(
        "what an earlier try stored is published again",
        [
            Edit(
                "plumbing/step.py",
                "            return state\n",
                '            return SagaState("SEEN IT", state.outbox, state.since)\n',
            )
        ],
    ),
    Guard(
        "units are released only for an order that is PAYMENT_FAILED",
        [
            Edit(
                "plumbing/step.py",
                'condition=f"#status = :expected AND #outbox',
                'condition=f"attribute_exists(#status) AND #outbox',
            ),
            Edit("plumbing/step.py", '            ":expected": transition.expected,\n', ""),
        ],
        first="declined",
    ),
    Guard(
        "an entry that the bus refuses is an error",
        [
            Edit(
                "plumbing/publish.py",
                'if refused or response["FailedEntryCount"]:',
                "if False:",
            )
        ],
    ),
    Guard(
        "a step is made only for the event that is stored, as a whole",
        [
            Edit("plumbing/step.py", " AND #outbox.#{compared} = :consumed", ""),
            Edit("plumbing/step.py", '"outbox", compared, "history"', '"history"'),
            Edit("plumbing/step.py", '            ":consumed": value,\n', ""),
        ],
        first="forged, happy",
    ),
    Guard(
        "an event that differs from what is stored is an error",
        [Edit("plumbing/step.py", "if state.status == expected:", "if False:")],
        first="forged, happy",
    ),
    Guard(
        "an open order is in the index that the sweep reads",
        [Edit(f"{CREATE}/orders.py", "            **open_index_key(order.order_id),\n", "")],
    ),
    Guard(
        "an order that ends leaves the index",
        [Edit("plumbing/step.py", '(["openShard"] if transition.final else [])', "[]")],
    ),
    Guard(
        "the sweep touches an order only as it read it",
        [
            Edit(f"{RESUME}/orders.py", "_as_it_was_read(order))", "{})"),
            Edit(
                f"{RESUME}/orders.py",
                '["attribute_exists(#openShard)"]',
                '["attribute_exists(#orderId)"]',
            ),
            Edit(f"{RESUME}/orders.py", '("openShard", *as_read', '("orderId", *as_read'),
        ],
        first="swept, happy",
    ),
    Guard(
        "a step clears what the sweep noted of the step before",
        [Edit("plumbing/step.py", "removes = [*SWEEP_NOTES, *(", "removes = [*(")],
        first="scheduled sweep, happy",
    ),
    Guard(
        "a step brings an order back to where the sweep looks first",
        [Edit("plumbing/step.py", "{} if transition.final else open_index_key(identity)", "{}")],
        first="scheduled sweep, happy",
    ),
    Guard(
        "the sweep looks at what it deferred",
        [
            Edit(
                f"{RESUME}/resume_orders.py",
                "        yield since(orders.deferred(shard, until=now), timedelta(0))\n",
                "",
            )
        ],
        first="scheduled sweep, declined",
    ),
    Guard(
        "the sweep decides by the order, not by the index, which may lag behind",
        [Edit(f"{RESUME}/resume_orders.py", "if not _is_due(order, now):", "if False:")],
        first="scheduled sweep, happy",
    ),
    Guard(
        "the sweep looks for orders whose clock was ahead",
        [Edit(f"{RESUME}/resume_orders.py", "for ahead in (", "for ahead in () and (")],
        first="a clock that is ahead",
    ),
    Guard(
        "the sweep publishes what is stored",
        [
            Edit(
                f"{RESUME}/resume_orders.py",
                "        if deferred:\n            publish(order.outbox)\n",
                "",
            )
        ],
        first="lost, happy",
    ),
)


def hunt(guard: Guard) -> Caught | None:
    """Explore without a guard, one scenario after the other, until something does not hold."""
    code = Code(guard.edits)
    for scenario in sorted(SCENARIOS, key=lambda scenario: scenario.name != guard.first):
        machine = scenario.machine(code)
        explored = explore(machine, Judge(machine))
        if explored.story:
            return Caught(scenario, machine, explored)
    return None

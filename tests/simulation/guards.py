"""Guards of the code that are worth a name, each as the mutant that is without it.

All that the code guards against is found by the mutants (mutants.py). These are told as stories.
"""

from __future__ import annotations

import functools
from pathlib import Path

from explorer.exploration import Release
from explorer.mutation import mutants
from explorer.run import Result, explore_one
from tests.simulation import explored
from tests.simulation.scenarios import QUICK

ROOT = Path(__file__).resolve().parents[2]
STEP, WRITE = "plumbing/step.py", "plumbing/conditional_write.py"
CREATE, RESERVE = "services/create_order", "services/reserve_inventory"
CHARGE, NOTIFY = "services/charge_payment", "services/notify_shipping"
SWEEP = "services/resume_orders"

# By what the guard does: the file, and the mutant's id in it.
GUARDS = {
    "an order is put only where there is none": (
        WRITE,
        "put_new:expression:`attribute_not_exists(#key)` always holds",
    ),
    "a refused write brings back what is stored": (
        WRITE,
        'put_new:keyword:`ReturnValuesOnConditionCheckFailure="ALL_OLD"` dropped',
    ),
    "a table that is busy has not refused": (WRITE, "transact:raise:`raise` removed"),
    "an order is read as it is, not as it was": (WRITE, "read:constant:`True` becomes False"),
    "a key that comes with another body is refused": (
        f"{CREATE}/orders.py",
        "OrdersTable.create:condition:condition `any(stored.get(name, ABSENT) != "
        "fields.get(name, ABSENT) ...` becomes False",
    ),
    "an order that is stored is accepted, whatever the bus does": (
        f"{CREATE}/create_order.py",
        "create_order:except:`except (PublishError, *CALL_ERRORS)` does not catch",
    ),
    "a customer without a key is told where to look for the order": (
        f"{CREATE}/api.py",
        '_not_known_to_be_stored:entry:entry `"Location"` dropped',
    ),
    "units are taken only if there are enough": (
        f"{RESERVE}/orders.py",
        "OrdersTable.hold:expression:`#available >= :units` always holds",
    ),
    "a step is made only at the status that it starts from": (
        STEP,
        "_update:expression:`#status = :expected` always holds",
    ),
    "a step is made only for the event that is stored, as a whole": (
        STEP,
        "_update:expression:`#outbox.#{compared} = :consumed` always holds",
    ),
    "an event that differs from what is stored is an error": (
        STEP,
        "SagaState.from_item:removed:`state.outbox.require(consumed)` removed",
    ),
    "a step clears what the sweep noted of the step before": (
        STEP,
        ':element:element `"resumes"` dropped',
    ),
    "an order that ends leaves the index": (
        STEP,
        '_update:element:element `*(["openShard"] if transition.final else [])` dropped',
    ),
    "a step brings an order back to where the sweep looks first": (
        STEP,
        "_update:entry:entry `**in_index` dropped",
    ),
    "an entry that the bus refuses is an error": (
        "plumbing/publish.py",
        'publisher.publish:condition:condition `refused or response["FailedEntryCount"]` '
        "becomes False",
    ),
    "a card is charged only while the order is INVENTORY_RESERVED": (
        f"{CHARGE}/charge_payment.py",
        "charge_payment:condition:condition `state.status == InventoryReserved.status` "
        "becomes True",
    ),
    "a late charge is asked for before it is made": (
        f"{CHARGE}/charge_payment.py",
        "charge_payment:condition:condition `is_late` becomes False",
    ),
    "the provider gets the order's id as its key": (
        f"{CHARGE}/charge_payment.py",
        "charge_payment:key:the key is `__import__('uuid').uuid4()` instead of `event.order_id`:2",
    ),
    "what an earlier try decided is published again": (
        f"{CHARGE}/charge_payment.py",
        "charge_payment:element:element `PaymentCharged.status` dropped",
    ),
    "goods are sent only while the order is PAYMENT_CHARGED": (
        f"{NOTIFY}/notify_shipping.py",
        "notify_shipping:condition:condition `state.status == PaymentCharged.status` becomes True",
    ),
    "a late booking is asked for before it is made": (
        f"{NOTIFY}/notify_shipping.py",
        "notify_shipping:condition:condition `is_late` becomes False",
    ),
    "the carrier gets the order's id as its key": (
        f"{NOTIFY}/notify_shipping.py",
        "notify_shipping:key:the key is `__import__('uuid').uuid4()` instead of `event.order_id`:2",
    ),
    "the sweep touches an order only as it read it": (
        f"{SWEEP}/orders.py",
        "OrdersTable._set:expression:`#{name} = :read_{name}` always holds",
    ),
    "the sweep looks at what it deferred": (
        f"{SWEEP}/resume_orders.py",
        "_due:removed:`yield since(orders.deferred(shard, until=now), timedelta(0))` removed",
    ),
    "the sweep decides by the order, not by the index, which may lag behind": (
        f"{SWEEP}/resume_orders.py",
        "resume_orders.resume:condition:condition `not _is_due(order, now)` becomes False",
    ),
    "the sweep looks for orders whose clock was ahead": (
        f"{SWEEP}/resume_orders.py",
        "_due:removed:`yield ((LONG_AGO, order.order_id) for order in ahead)` removed",
    ),
    "the sweep publishes what is stored": (
        f"{SWEEP}/resume_orders.py",
        "resume_orders.resume:removed:`publish(order.outbox)` removed",
    ),
}


@functools.cache
def caught(guard: str) -> Result | None:
    """Return what is found first without a guard; None for nothing."""
    file, name = GUARDS[guard]
    made = {one.id: one for one in mutants(file, (ROOT / file).read_text())}
    release = Release(explored.this().app, {ROOT / file: made[f"{file}:{name}"].source})
    found = (explore_one(explored.this(), release, scenario) for scenario in QUICK)
    return next((one for one in found if one.story), None)

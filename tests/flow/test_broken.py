"""Each way in which a flow can be broken, and the sentence that `saga map` says of it."""

from typing import ClassVar

import msgspec
import pytest
from msgspec import Struct

from charge_payment.events import PaymentCharged, PaymentFailed
from harness.flow.check import check
from harness.flow.flow import Flow
from harness.flow.read import Found
from harness.trouble import Trouble
from notify_shipping.events import ShippingScheduled
from reserve_inventory.events import InventoryFailed, InventoryReserved
from tests.flow.changes import (
    RULE,
    Properties,
    declared,
    deployed,
    findings,
    granted,
    undeclared,
    without,
    written,
)


class PaymentRefunded(Struct, frozen=True, kw_only=True):
    """An event that no service says."""

    status: ClassVar[str] = "PAYMENT_REFUNDED"


class OrderPlaced(Struct, frozen=True, kw_only=True):
    """An event that only its hearer knows."""

    status: ClassVar[str] = "CREATED"


def test_the_flow_as_it_is_has_nothing_wrong(found: Found) -> None:
    assert findings(found) == []


def test_an_event_that_nobody_hears_and_that_is_no_end(found: Found) -> None:
    broken = declared(found, "notify_shipping", ends=())

    assert findings(broken) == [
        "Nobody hears ShippingScheduled, which notify_shipping says: let a service hear it, or "
        "declare SHIPPING_SCHEDULED one of the `ends` in services/notify_shipping/events.py."
    ]


def test_a_failure_that_nobody_hears_and_that_is_no_end(found: Found) -> None:
    broken = declared(found, "reserve_inventory", ends=())

    assert findings(broken) == [
        "Nobody hears InventoryFailed, which reserve_inventory says: let a service hear it, or "
        "declare INVENTORY_FAILED one of the `ends` in services/reserve_inventory/events.py."
    ]


def test_a_failure_that_nothing_compensates(found: Found) -> None:
    broken = declared(found, "release_inventory", compensates=None)

    assert findings(broken) == [
        "PaymentFailed tells of a failure and nothing undoes what came before it: declare what "
        "release_inventory `compensates`, or PAYMENT_FAILED one of the `ends` in "
        "services/charge_payment/events.py."
    ]


def test_a_failure_that_is_an_end_needs_no_compensation(found: Found) -> None:
    without_compensation = declared(found, "release_inventory", compensates=None)

    ended = declared(without_compensation, "charge_payment", ends=(PaymentFailed.status,))

    assert findings(ended) == []


def test_a_rule_that_matches_no_declared_event(found: Found) -> None:
    def misspell(rule: Properties) -> None:
        rule["EventPattern"]["detail-type"] = ["OrderCreate"]

    broken = deployed(found, "reserve_inventory", RULE, misspell)

    assert findings(broken) == [
        "The rule of reserve_inventory matches no declared event: "
        "let it match OrderCreated of orders.create_order in infra/services.py."
    ]


def test_a_rule_that_matches_more_than_the_event_that_is_meant(found: Found) -> None:
    def widen(rule: Properties) -> None:
        rule["EventPattern"]["detail-type"] = [{"prefix": "Inventory"}]

    broken = deployed(found, "charge_payment", RULE, widen)

    assert findings(broken) == [
        "The rule of charge_payment matches InventoryFailed, and charge_payment hears "
        "InventoryReserved: narrow its pattern in infra/."
    ]


@pytest.mark.parametrize(
    ("detail_type", "matched"),
    [
        ({"suffix": "Failed"}, {"InventoryFailed"}),
        ({"wildcard": "Inventory*ed"}, {"InventoryFailed"}),
        ({"equals-ignore-case": "INVENTORYFAILED"}, {"InventoryFailed"}),
        ({"anything-but": ["InventoryFailed"]}, set()),
        ({"anything-but": {"prefix": "Order"}}, {"InventoryFailed"}),
        ({"exists": True}, {"InventoryFailed"}),
    ],
)
def test_a_rules_pattern_is_understood_as_eventbridge_does(
    found: Found, detail_type: object, matched: set[str]
) -> None:
    def widen(rule: Properties) -> None:
        rule["EventPattern"]["detail-type"] = ["InventoryReserved", detail_type]

    broken = deployed(found, "charge_payment", RULE, widen)

    assert findings(broken) == [
        f"The rule of charge_payment matches {name}, and charge_payment hears InventoryReserved: "
        "narrow its pattern in infra/."
        for name in matched
    ]


def test_a_rule_that_looks_into_the_event(found: Found) -> None:
    def narrow(rule: Properties) -> None:
        rule["EventPattern"]["detail"] = {"quantity": [{"numeric": [">", 1]}]}

    broken = deployed(found, "charge_payment", RULE, narrow)

    assert findings(broken) == [
        "The rule of charge_payment looks at `detail` too, so that some InventoryReserved reach "
        "nobody: leave that out of its pattern in infra/, and let charge_payment decide."
    ]


def test_a_rule_that_waits_for_another_account(found: Found) -> None:
    def narrow(rule: Properties) -> None:
        rule["EventPattern"]["account"] = ["123456789012"]

    broken = deployed(found, "charge_payment", RULE, narrow)

    assert findings(broken) == [
        "The rule of charge_payment looks at `account` too, so that some InventoryReserved reach "
        "nobody: leave that out of its pattern in infra/, and let charge_payment decide."
    ]


def test_a_rule_on_another_bus(found: Found) -> None:
    broken = deployed(
        found, "charge_payment", RULE, lambda rule: rule.update(EventBusName="default")
    )

    assert findings(broken) == [
        "The rule of charge_payment listens on the bus default, and the saga's is order-saga: "
        "name that."
    ]


def test_a_rule_that_leads_to_no_function(found: Found) -> None:
    broken = deployed(
        found, "charge_payment", RULE, lambda rule: rule.update(Targets=[{"Arn": "arn:elsewhere"}])
    )

    assert findings(broken) == [
        "The rule order-saga-charge-payment leads to no function of its stack: correct its target.",
        "No rule leads InventoryReserved to charge_payment: "
        "add `hears` to its class in infra/services.py.",
    ]


def test_an_event_without_a_rule(found: Found) -> None:
    broken = without(found, "release_inventory", RULE)

    assert findings(broken) == [
        "No rule leads PaymentFailed to release_inventory: "
        "add `hears` to its class in infra/services.py."
    ]


def test_a_handler_that_says_an_undeclared_event(found: Found) -> None:
    with_event = written(
        found, "charge_payment", "events.py", "\nclass PaymentRefunded(InventoryReserved): ...\n"
    )

    broken = written(
        with_event,
        "charge_payment",
        "charge_payment.py",
        "\nfrom charge_payment.events import PaymentRefunded as Refunded\n"
        "\ndef refund(order): return Refunded(**order)\n",
    )

    assert findings(broken) == [
        "The code of charge_payment says PaymentRefunded, which it does not declare: "
        "add it to `says` in services/charge_payment/events.py, or take it out of the code."
    ]


@pytest.mark.parametrize(
    "code",
    [
        "def refund(order): return Entry.of('orders', PaymentRefunded(**order))",
        "def refund(said: PaymentCharged | PaymentRefunded): return Entry.of('orders', said)",
        "def refund(said: PaymentRefunded | PaymentCharged): return Entry.of('orders', said)",
        "LAST = Entry.of('orders', PaymentRefunded())",
        "def refund(order):\n    said = PaymentRefunded(**order)\n    return Entry.of('o', said)",
        "def refund(order):\n    said: PaymentRefunded = order\n    return Entry.of('o', said)",
        "def refund(text): return Entry('orders', 'PaymentRefunded', text)",
        "def refund(text): return Entry(source='o', detail_type='PaymentRefunded', detail=text)",
    ],
)
def test_an_event_that_is_made_for_the_bus_wherever_it_was_declared(
    found: Found, code: str
) -> None:
    broken = written(found, "charge_payment", "orders.py", f"\n{code}\n")

    assert findings(broken) == [
        "The code of charge_payment says PaymentRefunded, which it does not declare: "
        "add it to `says` in services/charge_payment/events.py, or take it out of the code."
    ]


def test_a_declared_event_that_no_code_makes(found: Found) -> None:
    by_name = msgspec.structs.replace(found, contracts={**found.contracts, "PaymentRefunded": ()})

    broken = declared(
        by_name,
        "notify_shipping",
        says=(ShippingScheduled, PaymentRefunded),
        ends=(ShippingScheduled.status, PaymentRefunded.status),
    )

    assert findings(broken) == [
        "notify_shipping declares that it says PaymentRefunded, and no code of it makes one: "
        "take it out of `says` in services/notify_shipping/events.py, or write the code.",
        "notify_shipping declares that it says PaymentRefunded, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_status_that_cannot_reach_an_end(found: Found) -> None:
    broken = declared(found, "release_inventory", ends=())

    assert findings(broken) == [
        "An order at PAYMENT_FAILED cannot reach an end: let release_inventory say an event, "
        "or declare the status in which it `ends` the saga."
    ]


def test_statuses_that_go_round_in_a_circle(flow: Flow) -> None:
    kept = tuple(one for one in flow.transitions if one.to != "INVENTORY_RELEASED")
    [charged] = (one for one in kept if one.to == "PAYMENT_CHARGED")
    again = msgspec.structs.replace(charged, start="PAYMENT_FAILED", to="INVENTORY_RESERVED")

    broken = msgspec.structs.replace(
        flow, transitions=(*(one for one in kept if one is not charged), again)
    )

    assert check(broken) == [
        "An order at INVENTORY_RESERVED or PAYMENT_FAILED cannot reach an end, it goes round in a "
        "circle: declare a status of them one of the `ends`, or let a service leave them."
    ]


def test_a_permission_to_say_what_is_not_declared(found: Found) -> None:
    def widen(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:detail-type"] = ["ShippingScheduled", "PaymentCharged"]

    broken = granted(found, "notify_shipping", widen)

    assert findings(broken) == [
        "notify_shipping may say PaymentCharged, which it does not declare: narrow its grant in "
        "infra/services.py, or declare in its PART that it `says` it."
    ]


def test_no_permission_to_say_what_is_declared(found: Found) -> None:
    def narrow(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:detail-type"] = ["PaymentCharged"]

    broken = granted(found, "charge_payment", narrow)

    assert findings(broken) == [
        "charge_payment declares that it says PaymentFailed, and has no permission to: "
        "grant it in infra/services.py."
    ]


def test_a_permission_to_speak_for_another(found: Found) -> None:
    def speak_for_another(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:source"] = ["orders.notify_shipping", "orders.charge_payment"]

    broken = granted(found, "notify_shipping", speak_for_another)

    assert findings(broken) == [
        "notify_shipping may speak for orders.charge_payment, and is orders.notify_shipping "
        "itself: narrow its grant in infra/services.py, or declare in its PART that it `repeats`."
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"ForAnyValue:StringEquals": {"events:detail-type": ["ShippingScheduled"]}},
        {"ForAllValues:StringNotEquals": {"events:detail-type": ["PaymentCharged"]}},
    ],
)
def test_a_permission_that_binds_to_nothing(found: Found, condition: Properties) -> None:
    broken = granted(found, "notify_shipping", lambda grant: grant.update(Condition=condition))

    assert findings(broken) == [
        "notify_shipping may say events of any detail-type, and declares ShippingScheduled: "
        "narrow its grant in infra/services.py, or declare in its PART that it `repeats`.",
        "notify_shipping may speak for *, and is orders.notify_shipping itself: "
        "narrow its grant in infra/services.py, or declare in its PART that it `repeats`.",
    ]


@pytest.mark.parametrize(
    "change",
    [{"Action": "events:*"}, {"Action": ["logs:*", "events:Put*"]}, {"NotAction": "iam:*"}],
)
def test_a_permission_by_any_other_name(found: Found, change: Properties) -> None:
    def widen(statement: Properties) -> None:
        del statement["Action"], statement["Condition"]
        statement.update(change)

    broken = granted(found, "notify_shipping", widen)

    assert len(findings(broken)) == 2


def test_a_permission_on_another_bus(found: Found) -> None:
    broken = granted(
        found, "notify_shipping", lambda grant: grant.update(Resource="arn:aws:event-bus/other")
    )

    assert findings(broken) == [
        "notify_shipping may say events on the bus other, and the saga's is order-saga: "
        "name that in infra/.",
        "notify_shipping declares that it says ShippingScheduled, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_wide_permission_that_is_not_declared(found: Found) -> None:
    broken = declared(found, "resume_orders", repeats=False)

    assert findings(broken) == [
        "resume_orders may say events of any detail-type, and declares none: "
        "narrow its grant in infra/services.py, or declare in its PART that it `repeats`.",
        "resume_orders may speak for orders.*, and is nobody itself: "
        "narrow its grant in infra/services.py, or declare in its PART that it `repeats`.",
    ]


def test_a_permission_that_is_wider_than_the_saga(found: Found) -> None:
    broken = granted(found, "resume_orders", lambda grant: grant.update(Condition={}))

    assert findings(broken) == [
        "resume_orders may speak for *, and what it repeats is said by orders.*: "
        "narrow its grant in infra/services.py."
    ]


def test_a_service_that_may_not_repeat_what_it_declares_to_repeat(found: Found) -> None:
    def narrow(statement: Properties) -> None:
        statement["Condition"]["ForAllValues:StringLike"]["events:source"] = "orders.c*"

    broken = granted(found, "resume_orders", narrow)

    assert findings(broken) == [
        f"resume_orders declares that it repeats what is said, {name} too, and has no permission "
        "to: grant it in infra/services.py."
        for name in ("InventoryReserved", "InventoryFailed", "ShippingScheduled")
    ]


def test_a_service_that_is_deployed_and_not_declared(found: Found) -> None:
    broken = undeclared(found, "resume_orders")

    assert findings(broken) == [
        "resume_orders is deployed and declares no part in the saga: "
        "end services/resume_orders/events.py with `PART = Part(...)`."
    ]


def test_a_function_that_has_no_folder(found: Found) -> None:
    parts = {name: part for name, part in found.parts.items() if name != "resume_orders"}

    broken = msgspec.structs.replace(found, parts=parts)

    assert findings(broken) == [
        "resume_orders is deployed and declares no part in the saga: "
        "end services/resume_orders/events.py with `PART = Part(...)`."
    ]


def test_a_service_that_is_declared_and_not_deployed(found: Found) -> None:
    broken = without(found, "notify_shipping")

    assert findings(broken) == [
        "notify_shipping declares its part and is not deployed: "
        "give it a class in infra/services.py."
    ]


def test_a_service_that_nothing_calls(found: Found) -> None:
    broken = without(found, "resume_orders", "AWS::Scheduler::Schedule")

    assert findings(broken) == [
        "Nothing calls resume_orders: let it hear an event, "
        "or give it a route or a schedule in infra/services.py."
    ]


def test_an_event_that_only_its_hearer_knows(found: Found) -> None:
    broken = declared(found, "reserve_inventory", hears=OrderPlaced)

    assert findings(broken) == [
        "reserve_inventory hears OrderPlaced, which no service declares that it says: "
        "correct `hears` in services/reserve_inventory/events.py, or `says` where it is said.",
        "Nobody hears OrderCreated, which create_order says: let a service hear it, "
        "or declare CREATED one of the `ends` in services/create_order/events.py.",
        "The rule of reserve_inventory matches OrderCreated, and reserve_inventory hears "
        "OrderPlaced: narrow its pattern in infra/.",
    ]


def test_two_services_that_know_an_event_by_different_statuses(found: Found) -> None:
    heard = msgspec.defstruct(
        "InventoryReserved", [], namespace={"status": "INVENTORY_HELD"}, frozen=True
    )

    broken = declared(found, "charge_payment", hears=heard)

    assert (
        "charge_payment hears InventoryReserved at INVENTORY_HELD, and reserve_inventory says it "
        "at INVENTORY_RESERVED: correct one's `status` in its events.py."
    ) in findings(broken)


def test_an_event_without_a_status(found: Found) -> None:
    said = msgspec.defstruct("ShippingScheduled", [], frozen=True)

    broken = declared(found, "notify_shipping", says=(said,), ends=("",))

    assert findings(broken) == [
        "ShippingScheduled has no status: "
        "give it a `status: ClassVar[str]` in services/notify_shipping/events.py."
    ]


def test_an_event_without_a_contract(found: Found) -> None:
    rest = {name: one for name, one in found.contracts.items() if name != "PaymentFailed"}

    broken = msgspec.structs.replace(found, contracts=rest)

    assert findings(broken) == [
        "PaymentFailed has no contract: write contracts/events/PaymentFailed.sample.json, "
        "name it in contracts/__init__.py, and run `make contracts`."
    ]


def test_an_event_that_two_services_say(found: Found) -> None:
    broken = declared(
        found,
        "notify_shipping",
        says=(ShippingScheduled, InventoryFailed),
        failures=(InventoryFailed,),
    )

    assert findings(broken) == [
        "notify_shipping declares that it says InventoryFailed, and no code of it makes one: "
        "take it out of `says` in services/notify_shipping/events.py, or write the code.",
        "InventoryFailed is said by reserve_inventory and by notify_shipping, and an event is "
        "known by its name: give one of them another.",
        "notify_shipping declares that it says InventoryFailed, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_failure_and_a_pivot_that_are_not_said(found: Found) -> None:
    broken = declared(
        found,
        "notify_shipping",
        failures=(PaymentFailed,),
        pivot=PaymentCharged,
    )

    assert findings(broken) == [
        f"notify_shipping declares {name} a failure or its pivot, and not that it says it: "
        "add it to `says` in services/notify_shipping/events.py."
        for name in ("PaymentCharged", "PaymentFailed")
    ]


def test_a_compensation_of_what_never_was(found: Found) -> None:
    broken = declared(found, "release_inventory", compensates="SHIPPING_SCHEDULED")

    assert findings(broken) == [
        "release_inventory compensates SHIPPING_SCHEDULED, from which no order comes to it: "
        "name a status before PaymentFailed in services/release_inventory/events.py."
    ]


def test_a_compensation_after_the_pivot(found: Found) -> None:
    without_pivot = declared(found, "charge_payment", pivot=None)

    broken = declared(without_pivot, "reserve_inventory", pivot=InventoryReserved)

    assert findings(broken) == [
        "release_inventory undoes INVENTORY_RESERVED after the pivot InventoryReserved, and from "
        "there an order only goes forward: let it hear what comes before InventoryReserved."
    ]


def test_a_bus_too_many(found: Found) -> None:
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "second"}}
    templates = {**found.templates, "another": {"Resources": {"Bus": bus}}}

    with pytest.raises(Trouble, match="The templates have 2 buses, and a saga has one"):
        findings(msgspec.structs.replace(found, templates=templates))

"""Each way in which a flow can be broken, and the finding of `saga flow`."""

from typing import ClassVar

import msgspec
import pytest

from harness.errors import UserError
from harness.flow.check import check
from harness.flow.flow import Flow
from harness.flow.read import Found
from plumbing.event import Event
from plumbing.participant import Step
from tests.flow.changes import (
    RULE,
    Properties,
    declared,
    deployed,
    findings,
    granted,
    step_declared,
    undeclared,
    without,
)
from tests.flow.example import InventoryFailed, ShippingScheduled


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """An event that no service publishes."""

    status: ClassVar[str] = "PAYMENT_REFUNDED"


class OrderPlaced(Event, frozen=True, kw_only=True):
    """An event that only its consumer knows."""

    status: ClassVar[str] = "CREATED"


def test_the_flow_as_it_is_has_nothing_wrong(found: Found) -> None:
    assert findings(found) == []


def test_an_event_without_a_consumer_that_is_not_final(found: Found) -> None:
    broken = step_declared(found, "notify_shipping", "SHIPPING_SCHEDULED", final=False)

    assert findings(broken) == [
        "No service consumes ShippingScheduled, which notify_shipping publishes: let one consume "
        "it, or declare its step `final=True` in services/notify_shipping/events.py."
    ]


def test_a_failure_without_a_consumer_that_is_not_final(found: Found) -> None:
    broken = step_declared(found, "reserve_inventory", "INVENTORY_FAILED", final=False)

    assert findings(broken) == [
        "No service consumes InventoryFailed, which reserve_inventory publishes: let one consume "
        "it, or declare its step `final=True` in services/reserve_inventory/events.py."
    ]


def test_a_failure_that_nothing_compensates(found: Found) -> None:
    broken = declared(found, "release_inventory", compensates=None)

    assert findings(broken) == [
        "PaymentFailed is a failure and nothing compensates what came before it: declare what "
        "release_inventory `compensates`, or the step `final=True` in "
        "services/charge_payment/events.py."
    ]


def test_a_final_failure_needs_no_compensation(found: Found) -> None:
    without_compensation = declared(found, "release_inventory", compensates=None)

    ended = step_declared(without_compensation, "charge_payment", "PAYMENT_FAILED", final=True)

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
        "The rule of charge_payment matches InventoryFailed, and charge_payment consumes "
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
        f"The rule of charge_payment matches {name}, and charge_payment consumes "
        "InventoryReserved: narrow its pattern in infra/."
        for name in matched
    ]


def test_a_rule_that_looks_into_the_event(found: Found) -> None:
    def narrow(rule: Properties) -> None:
        rule["EventPattern"]["detail"] = {"quantity": [{"numeric": [">", 1]}]}

    broken = deployed(found, "charge_payment", RULE, narrow)

    assert findings(broken) == [
        "The rule of charge_payment looks at `detail` too, so that some InventoryReserved "
        "reach no service: remove that in infra/, and let charge_payment decide."
    ]


def test_a_rule_for_another_account(found: Found) -> None:
    def narrow(rule: Properties) -> None:
        rule["EventPattern"]["account"] = ["123456789012"]

    broken = deployed(found, "charge_payment", RULE, narrow)

    assert findings(broken) == [
        "The rule of charge_payment looks at `account` too, so that some InventoryReserved "
        "reach no service: remove that in infra/, and let charge_payment decide."
    ]


def test_a_rule_on_another_bus(found: Found) -> None:
    broken = deployed(
        found, "charge_payment", RULE, lambda rule: rule.update(EventBusName="default")
    )

    assert findings(broken) == [
        "The rule of charge_payment is on the bus default, and the saga's is order-saga: name that."
    ]


def test_a_rule_that_leads_to_no_function(found: Found) -> None:
    broken = deployed(
        found, "charge_payment", RULE, lambda rule: rule.update(Targets=[{"Arn": "arn:elsewhere"}])
    )

    assert findings(broken) == [
        "The rule order-saga-charge-payment leads to no function of its stack: correct its target.",
        "No rule leads InventoryReserved to charge_payment: "
        "add `consumes` to its class in infra/services.py.",
    ]


def test_an_event_without_a_rule(found: Found) -> None:
    broken = without(found, "release_inventory", RULE)

    assert findings(broken) == [
        "No rule leads PaymentFailed to release_inventory: "
        "add `consumes` to its class in infra/services.py."
    ]


def test_a_declared_event_without_a_permission(found: Found) -> None:
    contracts = {**found.contracts, "PaymentRefunded": ({}, {})}
    with_contract = msgspec.structs.replace(found, contracts=contracts)

    broken = declared(
        with_contract,
        "notify_shipping",
        steps=(Step(ShippingScheduled, final=True), Step(PaymentRefunded, final=True)),
    )

    assert findings(broken) == [
        "notify_shipping declares that it publishes PaymentRefunded, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_status_that_cannot_reach_a_final_one(found: Found) -> None:
    broken = step_declared(found, "release_inventory", "INVENTORY_RELEASED", final=False)

    assert findings(broken) == [
        "An order at INVENTORY_RELEASED cannot reach a final status: declare the step to it "
        "`final=True` in services/release_inventory/events.py."
    ]


def test_a_consumer_without_a_step(found: Found) -> None:
    broken = declared(found, "release_inventory", steps=())

    assert findings(broken) == [
        "An order at PAYMENT_FAILED cannot reach a final status: give release_inventory a step "
        "in `PARTICIPANT`."
    ]


def test_statuses_that_go_in_a_circle(flow: Flow) -> None:
    kept = tuple(one for one in flow.transitions if one.to != "INVENTORY_RELEASED")
    [charged] = (one for one in kept if one.to == "PAYMENT_CHARGED")
    again = msgspec.structs.replace(charged, start="PAYMENT_FAILED", to="INVENTORY_RESERVED")

    broken = msgspec.structs.replace(
        flow, transitions=(*(one for one in kept if one is not charged), again)
    )

    assert check(broken) == [
        "An order at INVENTORY_RESERVED or PAYMENT_FAILED cannot reach a final status, it goes in "
        "a circle: declare a step to one of them `final=True`, or let a service leave them."
    ]


def test_a_permission_to_publish_what_is_not_declared(found: Found) -> None:
    def widen(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:detail-type"] = ["ShippingScheduled", "PaymentCharged"]

    broken = granted(found, "notify_shipping", widen)

    assert findings(broken) == [
        "notify_shipping may publish PaymentCharged, which it does not declare: narrow its grant "
        "in infra/services.py, or declare a step that publishes it."
    ]


def test_no_permission_to_publish_what_is_declared(found: Found) -> None:
    def narrow(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:detail-type"] = ["PaymentCharged"]

    broken = granted(found, "charge_payment", narrow)

    assert findings(broken) == [
        "charge_payment declares that it publishes PaymentFailed, and has no permission to: "
        "grant it in infra/services.py."
    ]


def test_a_permission_to_publish_as_another(found: Found) -> None:
    def publish_as_another(statement: Properties) -> None:
        asked = statement["Condition"]["ForAllValues:StringEquals"]
        asked["events:source"] = ["orders.notify_shipping", "orders.charge_payment"]

    broken = granted(found, "notify_shipping", publish_as_another)

    assert findings(broken) == [
        "notify_shipping may publish as orders.charge_payment, and is orders.notify_shipping "
        "itself: narrow its grant in infra/services.py, or declare `republishes=True`."
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"ForAnyValue:StringEquals": {"events:detail-type": ["ShippingScheduled"]}},
        {"ForAllValues:StringNotEquals": {"events:detail-type": ["PaymentCharged"]}},
    ],
)
def test_a_permission_that_restricts_nothing(found: Found, condition: Properties) -> None:
    broken = granted(found, "notify_shipping", lambda grant: grant.update(Condition=condition))

    assert findings(broken) == [
        "notify_shipping may publish events of any detail-type, and declares ShippingScheduled: "
        "narrow its grant in infra/services.py, or declare `republishes=True`.",
        "notify_shipping may publish as *, and is orders.notify_shipping itself: "
        "narrow its grant in infra/services.py, or declare `republishes=True`.",
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
        "notify_shipping may publish on the bus other, and the saga's is order-saga: "
        "name that in infra/.",
        "notify_shipping declares that it publishes ShippingScheduled, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_wide_permission_that_is_not_declared(found: Found) -> None:
    broken = declared(found, "resume_orders", republishes=False)

    assert findings(broken) == [
        "resume_orders may publish events of any detail-type, and declares none: "
        "narrow its grant in infra/services.py, or declare `republishes=True`.",
        "resume_orders may publish as orders.*, and is no source itself: "
        "narrow its grant in infra/services.py, or declare `republishes=True`.",
    ]


def test_a_permission_that_is_wider_than_the_saga(found: Found) -> None:
    broken = granted(found, "resume_orders", lambda grant: grant.update(Condition={}))

    assert findings(broken) == [
        "resume_orders may publish as *, and the saga's sources are orders.*: "
        "narrow its grant in infra/services.py."
    ]


def test_a_service_that_may_not_republish_what_it_declares(found: Found) -> None:
    def narrow(statement: Properties) -> None:
        statement["Condition"]["ForAllValues:StringLike"]["events:source"] = "orders.c*"

    broken = granted(found, "resume_orders", narrow)

    assert findings(broken) == [
        f"resume_orders declares that it republishes every event, {name} too, and has no "
        "permission to: grant it in infra/services.py."
        for name in ("InventoryReserved", "InventoryFailed", "ShippingScheduled")
    ]


def test_a_service_that_is_deployed_and_not_declared(found: Found) -> None:
    broken = undeclared(found, "resume_orders")

    assert findings(broken) == [
        "resume_orders is deployed and declares no participant: "
        "end services/resume_orders/events.py with `PARTICIPANT = Participant(...)`."
    ]


def test_a_function_that_has_no_folder(found: Found) -> None:
    rest = {n: one for n, one in found.participants.items() if n != "resume_orders"}

    broken = msgspec.structs.replace(found, participants=rest)

    assert findings(broken) == [
        "resume_orders is deployed and declares no participant: "
        "end services/resume_orders/events.py with `PARTICIPANT = Participant(...)`."
    ]


def test_a_service_that_is_declared_and_not_deployed(found: Found) -> None:
    broken = without(found, "notify_shipping")

    assert findings(broken) == [
        "notify_shipping declares a participant and is not deployed: "
        "give it a class in infra/services.py."
    ]


def test_a_service_that_nothing_calls(found: Found) -> None:
    broken = without(found, "resume_orders", "AWS::Scheduler::Schedule")

    assert findings(broken) == [
        "Nothing calls resume_orders: let it consume an event, "
        "or give it a route or a schedule in infra/services.py."
    ]


def test_an_event_that_only_its_consumer_knows(found: Found) -> None:
    broken = declared(found, "reserve_inventory", consumes=OrderPlaced)

    assert findings(broken) == [
        "reserve_inventory consumes OrderPlaced, which no service publishes: correct `consumes` in "
        "services/reserve_inventory/events.py, or add a `Step` that publishes it.",
        "No service consumes OrderCreated, which create_order publishes: let one consume it, "
        "or declare its step `final=True` in services/create_order/events.py.",
        "The rule of reserve_inventory matches OrderCreated, and reserve_inventory consumes "
        "OrderPlaced: narrow its pattern in infra/.",
    ]


def test_two_services_that_know_an_event_by_different_statuses(found: Found) -> None:
    held = msgspec.defstruct(
        "InventoryReserved", [], namespace={"status": "INVENTORY_HELD"}, frozen=True
    )

    broken = declared(found, "charge_payment", consumes=held)

    assert (
        "charge_payment consumes InventoryReserved at INVENTORY_HELD, and reserve_inventory "
        "publishes it at INVENTORY_RESERVED: correct one's `status`."
    ) in findings(broken)


def test_an_event_without_a_status(found: Found) -> None:
    class ShippingScheduled(Event, frozen=True):
        """An event without a status."""

    broken = declared(found, "notify_shipping", steps=(Step(ShippingScheduled, final=True),))

    assert findings(broken) == [
        "ShippingScheduled has no status: "
        "give it a `status: ClassVar[str]` in services/notify_shipping/events.py."
    ]


def test_an_event_without_a_contract(found: Found) -> None:
    rest = {name: one for name, one in found.contracts.items() if name != "PaymentFailed"}

    broken = msgspec.structs.replace(found, contracts=rest)

    assert findings(broken) == [
        "PaymentFailed has no contract: write contracts/events/PaymentFailed.sample.json "
        "and run `make contracts`."
    ]


def test_an_event_that_two_services_publish(found: Found) -> None:
    broken = declared(
        found,
        "notify_shipping",
        steps=(
            Step(ShippingScheduled, final=True),
            Step(InventoryFailed, failure=True, final=True),
        ),
    )

    assert findings(broken) == [
        "InventoryFailed is published by reserve_inventory and by notify_shipping, and an event is "
        "known by its name: rename one of them.",
        "notify_shipping declares that it publishes InventoryFailed, and has no permission to: "
        "grant it in infra/services.py.",
    ]


def test_a_compensation_of_what_never_was(found: Found) -> None:
    broken = declared(found, "release_inventory", compensates="SHIPPING_SCHEDULED")

    assert findings(broken) == [
        "release_inventory compensates SHIPPING_SCHEDULED, from which no order comes to it: "
        "name a status before PaymentFailed in services/release_inventory/events.py."
    ]


def test_a_compensation_after_the_pivot(found: Found) -> None:
    without_pivot = step_declared(found, "charge_payment", "PAYMENT_CHARGED", pivot=False)

    broken = step_declared(without_pivot, "reserve_inventory", "INVENTORY_RESERVED", pivot=True)

    assert findings(broken) == [
        "release_inventory compensates INVENTORY_RESERVED after the pivot InventoryReserved, and "
        "from there an order only goes forward: let it consume what comes before InventoryReserved."
    ]


def test_a_bus_too_many(found: Found) -> None:
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "second"}}
    templates = {**found.templates, "another": {"Resources": {"Bus": bus}}}

    with pytest.raises(UserError, match="The templates have 2 buses, and a saga has one"):
        findings(msgspec.structs.replace(found, templates=templates))

"""What the explorer says of two usual shapes of handlers, and of each when it is mended."""

import importlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from explorer.exploration import Exploration, Release
from explorer.run import explore_one

HANDLERS = Path(__file__).resolve().parents[2] / "explorer" / "examples" / "handlers"
TWICE = "charge_payment.charge did it 2 times for one saga"
UNPUBLISHED = "OrderPaid was never published, and is in no failure queue"
UNSENT = "ORDER-1 is paid, and is never sent"
MENDED = {
    "check_then_write": """
import json, os, boto3

payments = boto3.resource("dynamodb").Table(os.environ["PAYMENTS_TABLE"])
events = boto3.client("events")

def charge(order_id, amount_cents, idempotency_key):
    raise NotImplementedError

def handler(event, context):
    order = event["detail"]
    charge_id = charge(order["orderId"], order["amountCents"], idempotency_key=order["orderId"])
    payments.put_item(Item={"orderId": order["orderId"], "status": "PAID", "chargeId": charge_id})
    entry = {"Source": "payments", "DetailType": "OrderPaid", "Detail": json.dumps(order)}
    if events.put_events(Entries=[entry])["FailedEntryCount"]:
        raise RuntimeError("the bus refused the event")
""",
    "seen_it_skip": """
import os, boto3

shipments = boto3.resource("dynamodb").Table(os.environ["SHIPMENTS_TABLE"])

def handler(event, context):
    shipments.put_item(Item={"orderId": event["detail"]["orderId"], "status": "BOOKED"})
""",
}


def found(name: str, sources: Mapping[Path, str] | None = None) -> dict[str, dict[str, int]]:
    """Return what is found of an example: by scenario each kind, and the steps of its story."""
    exploration: Exploration = importlib.import_module(f"explorer.examples.{name}").exploration
    release = Release(exploration.app, sources)
    results = [
        explore_one(exploration, release, scenario, all_kinds=True)
        for scenario in exploration.scenarios
    ]
    return {
        one.scenario: {text: len(story.steps) for text, story in one.kinds.items()}
        for one in results
    }


def test_who_checks_and_then_writes_charges_twice_and_keeps_what_it_did_to_itself() -> None:
    assert found("check_then_write") == {
        "as planned": {},
        "delivered twice": {TWICE: 5},
        "one fault": {TWICE: 2, UNPUBLISHED: 4},
    }


def test_who_marks_an_event_as_seen_and_then_works_never_works_after_a_crash() -> None:
    assert found("seen_it_skip") == {"delivered twice": {}, "one fault": {UNSENT: 1}}


@pytest.mark.parametrize("name", MENDED)
def test_an_example_holds_when_it_is_mended(name: str) -> None:
    mended = {HANDLERS / f"{name}.py": MENDED[name]}

    assert not any(found(name, mended).values())

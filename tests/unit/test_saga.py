"""The whole flow on AWS in memory: where orders end, and what it costs."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from contracts import participants
from harness.saga import FINAL, PATHS
from plumbing.aws import OPERATIONS
from tests.world import ORDER_ID, World, request, sample


@pytest.mark.parametrize(
    ("customer", "sku", "statuses", "calls"),
    [
        (
            "CUST-1",
            "COFFEE",
            ["CREATED", "INVENTORY_RESERVED", "PAYMENT_CHARGED", "SHIPPING_SCHEDULED"],
            # A write and a publish in each of four steps, and a look at the order before each
            # thing that cannot be taken back: the charge and the shipment.
            {"PutItem": 1, "TransactWriteItems": 1, "UpdateItem": 2, "GetItem": 2, "PutEvents": 4},
        ),
        (
            "CUST-1",
            "TEA",
            ["CREATED", "INVENTORY_FAILED"],
            {"PutItem": 1, "TransactWriteItems": 1, "UpdateItem": 1, "PutEvents": 2},
        ),
        (
            "CUST-DECLINE",
            "COFFEE",
            ["CREATED", "INVENTORY_RESERVED", "PAYMENT_FAILED", "INVENTORY_RELEASED"],
            {"PutItem": 1, "TransactWriteItems": 2, "UpdateItem": 1, "GetItem": 1, "PutEvents": 3},
        ),
    ],
    ids=["happy", "out of stock", "declined"],
)
def test_an_order_ends_with_so_many_calls_to_aws(
    world: World, customer: str, sku: str, statuses: list[str], calls: dict[str, int]
) -> None:
    world.stock("COFFEE", 10)
    order = {"customerId": customer, "sku": sku, "amountCents": 500}

    answer = world.handler("create_order").handle(request(body=order), None)
    world.run()

    assert world.statuses(json.loads(answer["body"])["orderId"]) == statuses
    assert Counter(world.dynamodb.calls + world.events.calls) == calls
    assert world.units("COFFEE") == (9 if statuses[-1] == "SHIPPING_SCHEDULED" else 10)


def test_a_happy_order_of_a_customers_uuid_and_a_sku_of_twenty_fits_one_write_unit(
    world: World,
) -> None:
    world.stock("S" * 20, 10)
    order = {"customerId": "C" * 36, "sku": "S" * 20, "quantity": 9, "amountCents": 1_000_000}

    world.handler("create_order").handle(request(body=order), None)
    world.run()

    [item] = world.dynamodb.tables["orders"].values()
    assert _size(item) <= 1024


@pytest.mark.parametrize("release", ["this one", "a former one, without digests"])
@pytest.mark.parametrize("customer", ["CUST-1", "CUST-DECLINE"])
def test_a_field_that_no_service_declares_is_in_every_event(
    world: World, customer: str, release: str
) -> None:
    gift = {"ribbonColour": "for you", "wrapped": None, "customerId": customer}
    world.store_order("CREATED", **gift)
    if release != "this one":
        del world.dynamodb.tables["orders"][ORDER_ID]["outbox"]["M"]["digest"]
    world.stock("COFFEE", 10)

    world.handler("reserve_inventory").handle(sample("OrderCreated", **gift), None)
    world.run()

    assert len(world.published) == (3 if customer == "CUST-1" else 2)
    assert all(gift.items() <= event["detail"].items() for event in world.published)
    assert world.order()["status"] in FINAL


def test_every_service_publishes_exactly_what_it_declares(world: World) -> None:
    world.stock("COFFEE", 10)
    for customer, sku in (("CUST-1", "COFFEE"), ("CUST-1", "TEA"), ("CUST-DECLINE", "COFFEE")):
        order = {"customerId": customer, "sku": sku, "amountCents": 500}
        world.handler("create_order").handle(request(body=order), None)
        world.run()

    published: dict[str, set[str]] = {}
    for event in world.published:
        service = event["source"].removeprefix("orders.")
        published.setdefault(service, set()).add(event["detail-type"])
    paths = {tuple(world.statuses(order_id)) for order_id in world.dynamodb.tables["orders"]}

    assert published == {
        service: {kind.__name__ for kind in one.publishes}
        for service, one in participants().items()
        if one.publishes
    }
    assert paths == {tuple(step.to for _, step in path) for path in PATHS}


@pytest.mark.parametrize("customer", ["CUST-1", "CUST-DECLINE"])
def test_every_event_carries_the_trace_and_the_time_of_its_order(
    world: World, customer: str
) -> None:
    world.stock("COFFEE", 10)
    order = {"customerId": customer, "sku": "COFFEE", "amountCents": 500}
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    posted = request(body=order, headers={"traceparent": trace})
    answer = world.handler("create_order").handle(posted, None)
    world.run()

    item = world.order(json.loads(answer["body"])["orderId"])
    carried = {
        (event["detail"]["traceparent"], event["detail"]["createdAt"]) for event in world.published
    }
    assert carried == {(trace, item["createdAt"])}
    assert item["createdAt"] == item["history"][0]["at"]


@pytest.mark.parametrize("customer", ["CUST-1", "CUST-DECLINE"])
@pytest.mark.parametrize("sku", ["COFFEE", "TEA"])
def test_the_index_of_open_orders_is_written_twice_for_an_order(
    world: World, monkeypatch: pytest.MonkeyPatch, customer: str, sku: str
) -> None:
    world.stock("COFFEE", 10)
    order = {"customerId": customer, "sku": sku, "amountCents": 500}
    entries: list[dict[str, object]] = []
    for operation in ("put_item", "update_item", "transact_write_items"):
        call = getattr(world.dynamodb, operation)

        def write(call: Any = call, **arguments: object) -> object:
            try:
                return call(**arguments)
            finally:
                [item] = world.dynamodb.tables["orders"].values()
                entries.append(
                    {name: item.get(name) for name in ("openShard", "createdAt", "nextAttemptAt")}
                    if "openShard" in item
                    else {}
                )

        monkeypatch.setattr(world.dynamodb, operation, write)

    world.handler("create_order").handle(request(body=order), None)
    world.run()

    assert entries[-1] == {}
    assert sum(before != after for before, after in pairwise([{}, *entries])) == 2


def _size(attribute: object) -> int:
    """Count bytes as DynamoDB does: names and values as UTF-8, three and one more per nesting."""
    match attribute:
        case {"S": str(text)} | {"N": str(text)}:
            return len(text.encode())
        case {"L": list(values)}:
            return 3 + sum(1 + _size(value) for value in values)
        case {"M": dict(values)}:
            return 3 + sum(1 + len(name) + _size(value) for name, value in values.items())
        case dict():
            return sum(len(name) + _size(value) for name, value in attribute.items())
    raise NotImplementedError(attribute)


def test_the_map_of_the_saga_is_the_one_that_its_participants_declare() -> None:
    declared = participants()

    steps = {
        step.to: (step.failure, step.pivot, step.final)
        for participant in declared.values()
        for step in participant.steps
    }

    failure, pivot, final = (True, False, False), (False, True, False), (False, False, True)
    assert steps == {
        "CREATED": (False, False, False),
        "INVENTORY_RESERVED": (False, False, False),
        "INVENTORY_FAILED": (True, False, True),
        "PAYMENT_CHARGED": pivot,
        "PAYMENT_FAILED": failure,
        "INVENTORY_RELEASED": final,
        "SHIPPING_SCHEDULED": final,
    }
    assert {name: one.compensates for name, one in declared.items() if one.compensates} == {
        "release_inventory": "INVENTORY_RESERVED"
    }
    assert [name for name, one in declared.items() if one.republishes] == ["resume_orders"]


def test_functions_call_exactly_the_operations_that_their_images_have(world: World) -> None:
    world.stock("COFFEE", 10)
    for customer in ("CUST-1", "CUST-DECLINE"):
        order = {"customerId": customer, "sku": "COFFEE", "amountCents": 500}
        world.handler("create_order").handle(request(body=order), None)
    world.run()
    world.handler("resume_orders").handle({}, None)

    assert {"dynamodb": {*world.dynamodb.calls}, "events": {*world.events.calls}} == {
        client: set(operations) for client, operations in OPERATIONS.items()
    }

"""Orders over HTTP, through the bus and the five functions, to their ends."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from harness.connect import session
from harness.environment import Environment
from harness.names import PREFIX, stack_name
from harness.orders import SCENARIOS, NotEnded, Orders, Request
from harness.resume import resume_all
from tests.e2e.shop import Shop, as_published
from tests.world import sample

BODY = {"customerId": "CUST-1", "sku": "COFFEE", "amountCents": 500}


def test_a_happy_order_is_shipped(orders: Orders) -> None:
    order_id = orders.place(SCENARIOS["happy"])

    record = orders.ended(order_id)

    assert _statuses(record) == [
        "CREATED",
        "INVENTORY_RESERVED",
        "PAYMENT_CHARGED",
        "SHIPPING_SCHEDULED",
    ]
    assert list(record) == [
        "orderId",
        "status",
        "reservationId",
        "paymentId",
        "trackingNumber",
        "history",
    ]
    assert record["orderId"] == str(UUID(order_id))
    assert record["reservationId"] == str(UUID(record["reservationId"]))
    assert record["paymentId"] == str(UUID(record["paymentId"]))
    assert record["trackingNumber"].startswith("TRK-")
    assert all(one["at"] <= next_["at"] for one, next_ in pairwise(record["history"]))


def test_an_order_of_what_is_not_in_stock_fails_with_its_reason(orders: Orders) -> None:
    order_id = orders.place(SCENARIOS["out-of-stock"])

    record = orders.ended(order_id)

    assert _statuses(record) == ["CREATED", "INVENTORY_FAILED"]
    assert _plain(record) == {
        "orderId": order_id,
        "status": "INVENTORY_FAILED",
        "failureReason": "out of stock",
    }


def test_a_declined_order_gives_its_stock_back(saga: Environment, orders: Orders) -> None:
    saga.stock.set({"DECLINED-ONLY": 5})
    order = msgspec.structs.replace(SCENARIOS["declined"], sku="DECLINED-ONLY", quantity=3)

    record = orders.ended(orders.place(order))

    assert _statuses(record) == [
        "CREATED",
        "INVENTORY_RESERVED",
        "PAYMENT_FAILED",
        "INVENTORY_RELEASED",
    ]
    assert record["failureReason"] == "card declined"
    assert "paymentId" not in record
    assert saga.stock.units("DECLINED-ONLY") == 5


def test_an_accepted_order_has_its_location_in_the_response(saga: Environment) -> None:
    accepted = httpx.post(f"{saga.api_url}/orders", json=BODY)

    followed = httpx.get(f"{saga.api_url}{accepted.headers['location']}")

    assert accepted.status_code == 202
    assert accepted.json()["status"] == "CREATED"
    assert followed.status_code == 200
    assert followed.json()["orderId"] == accepted.json()["orderId"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/orders/94f7a3c2-5d1b-4e8a-9c60-2b7d8f01e3a5", None, 404),
        ("GET", "/orders/nonsense", None, 404),
        ("DELETE", "/orders", None, 405),
        ("POST", "/orders/94f7a3c2-5d1b-4e8a-9c60-2b7d8f01e3a5", BODY, 405),
        ("POST", "/orders", {**BODY, "quantity": 0}, 422),
        ("POST", "/orders", [], 400),
        ("POST", "/orders", {**BODY, "note": "n" * 20_000}, 413),
    ],
)
def test_a_bad_request_gets_a_problem(
    saga: Environment, method: str, path: str, body: Any, status: int
) -> None:
    content = None if body is None else json.dumps(body)

    response = httpx.request(method, f"{saga.api_url}{path}", content=content)

    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"


def test_a_key_sent_twice_is_one_order_and_with_another_body_none(saga: Environment) -> None:
    def send(body: dict[str, Any]) -> httpx.Response:
        headers = {"Idempotency-Key": "e2e-key"}
        return httpx.post(f"{saga.api_url}/orders", json=body, headers=headers)

    first, second, other = send(BODY), send(BODY), send({**BODY, "amountCents": 501})

    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert first.headers["location"] == second.headers["location"]
    assert (other.status_code, other.json()["title"]) == (422, "Idempotency key reused")


def test_of_two_orders_racing_for_the_last_unit_one_ships(
    saga: Environment, orders: Orders
) -> None:
    saga.stock.set({"RACED-FOR": 1})
    order = Request(customer_id="CUST-1", sku="RACED-FOR", quantity=1, amount_cents=500)

    with ThreadPoolExecutor(2) as pool:
        records = list(pool.map(orders.ended, pool.map(orders.place, [order, order])))

    assert sorted(record["status"] for record in records) == [
        "INVENTORY_FAILED",
        "SHIPPING_SCHEDULED",
    ]
    assert saga.stock.units("RACED-FOR") == 0


def test_fifty_orders_at_once_all_end_and_the_stock_adds_up(
    saga: Environment, orders: Orders, shop: Shop
) -> None:
    saga.stock.set({"FIFTY": 30})
    paying = Request(customer_id="CUST-1", sku="FIFTY", quantity=1, amount_cents=500)
    declined = msgspec.structs.replace(paying, customer_id="CUST-DECLINE")
    elsewhere = SCENARIOS["out-of-stock"]

    with ThreadPoolExecutor(50) as pool:
        placed = list(pool.map(orders.place, [paying, declined, elsewhere, paying, declined] * 10))
    # Each of the fifty starts functions of its own, and on a busy machine not all start in time:
    # the emulator then loses their events.
    shop.end(placed)

    ends = Counter(shop.stored(order_id)["status"] for order_id in placed)
    assert ends.total() == 50
    assert saga.stock.units("FIFTY") == 30 - ends["SHIPPING_SCHEDULED"]
    # Ten were for another SKU; twenty wanted one of thirty units and could pay, so that some of
    # those may have found it held by some of the twenty that then could not.
    assert ends["INVENTORY_FAILED"] >= 10
    assert 10 <= ends["SHIPPING_SCHEDULED"] <= 20


@pytest.mark.parametrize(
    ("service", "detail_type"),
    [
        ("reserve_inventory", "OrderCreated"),
        ("charge_payment", "InventoryReserved"),
        ("notify_shipping", "PaymentCharged"),
    ],
)
def test_an_event_that_comes_again_after_the_end_moves_nothing(
    saga: Environment, orders: Orders, shop: Shop, service: str, detail_type: str
) -> None:
    saga.stock.set({"COMES-AGAIN": 5})
    order = Request(customer_id="CUST-1", sku="COMES-AGAIN", quantity=2, amount_cents=500)
    ended = orders.ended(orders.place(order))
    again = as_published(detail_type, shop.stored(ended["orderId"]))

    # The emulator delivers once, so the second delivery is made by hand.
    response = _invoke(saga, service, again)

    assert "FunctionError" not in response
    assert orders.find(ended["orderId"]) == ended
    assert saga.stock.units("COMES-AGAIN") == 3


def test_an_order_whose_event_was_lost_is_resumed_by_the_sweep(
    saga: Environment, orders: Orders
) -> None:
    events = session().client("events", endpoint_url=saga.endpoint)
    rule = {"Name": stack_name("charge_payment"), "EventBusName": PREFIX}
    events.disable_rule(**rule)
    order_id = orders.place(SCENARIOS["happy"])
    with pytest.raises(NotEnded, match="order is now INVENTORY_RESERVED"):
        orders.ended(order_id, seconds=1)
    events.enable_rule(**rule)

    [report] = resume_all(session().client("lambda", endpoint_url=saga.endpoint))

    assert report["resumedOrders"] >= 1
    assert orders.ended(order_id)["status"] == "SHIPPING_SCHEDULED"


def test_an_order_that_ended_is_not_in_the_index_of_open_orders(
    saga: Environment, orders: Orders
) -> None:
    ended = {orders.ended(orders.place(order))["orderId"] for order in SCENARIOS.values()}
    dynamodb = session().client("dynamodb", endpoint_url=saga.endpoint)

    found = dynamodb.scan(TableName=f"{PREFIX}-orders", IndexName="open")["Items"]

    assert ended.isdisjoint(item["orderId"]["S"] for item in found)


def test_poison_is_an_error_that_names_the_field(saga: Environment) -> None:
    poison = sample("InventoryReserved", amountCents="a lot")

    response = _invoke(saga, "charge_payment", poison)

    assert response["FunctionError"] == "Unhandled"
    error = json.loads(response["Payload"].read())
    assert error["errorType"] == "EnvelopeError"
    assert "`$.amountCents`" in error["errorMessage"]


def _invoke(saga: Environment, service: str, event: dict[str, Any]) -> Any:
    client = session().client("lambda", endpoint_url=saga.endpoint)
    return client.invoke(FunctionName=stack_name(service), Payload=json.dumps(event))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "history"}


def _statuses(record: dict[str, Any]) -> list[str]:
    return [step["status"] for step in record["history"]]

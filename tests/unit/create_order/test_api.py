"""What a client is told, to the letter: other programs read it."""

import json
from types import ModuleType
from typing import Any
from uuid import UUID

import msgspec
import pytest

from create_order.create_order import OrderTooLarge
from plumbing.outbox import OutboxEvent
from tests.world import ORDERS, World, request

ORDER: dict[str, Any] = {"customerId": "CUST-1", "sku": "COFFEE", "amountCents": 1998}


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("create_order")


def _body(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])


def test_a_key_is_the_same_order_in_every_release(service: ModuleType) -> None:
    answer = service.handle(request(body=ORDER, headers={"idempotency-key": "CUST-1"}), None)

    assert _body(answer)["orderId"] == "35f5d54c-07dc-558b-a1bd-0ca7efb9935f"


def test_a_problem_without_wrong_fields_lists_none(service: ModuleType) -> None:
    answer = service.handle(request("GET", "/orders/nonsense"), None)

    assert _body(answer) == {
        "title": "Unknown order",
        "status": 404,
        "detail": "No order has this id: use the one that POST returned.",
    }


def test_a_post_without_a_body_is_told_what_to_send(service: ModuleType) -> None:
    answer = service.handle(request(body=None), None)

    assert _body(answer) == {
        "title": "Malformed JSON",
        "status": 400,
        "detail": "Send a JSON object: Input data was truncated.",
    }


def test_an_order_that_cannot_be_read_just_now_is_not_available(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_response(*_: object, **__: object) -> Any:
        raise service.api.CALL_ERRORS[1]

    monkeypatch.setattr(world.dynamodb, "call", no_response)

    answer = service.handle(request("GET", "/orders/35f5d54c-07dc-558b-a1bd-0ca7efb9935f"), None)

    assert _body(answer) == {
        "title": "Not available",
        "status": 503,
        "detail": "The order cannot be looked up just now: ask again.",
    }


def test_what_is_missing_is_named_and_what_has_a_default_is_not(service: ModuleType) -> None:
    answer = service.handle(request(body={"customerId": "CUST-1", "sku": 7}), None)

    assert _body(answer)["errors"] == [
        {"pointer": "#/sku", "detail": "Expected `str`, got `int`"},
        {"pointer": "#/amountCents", "detail": "Required, but missing"},
    ]


def test_a_whole_number_with_a_point_excuses_no_other_field(
    world: World, service: ModuleType
) -> None:
    answer = service.handle(request(body={**ORDER, "quantity": 2.0, "sku": 7}), None)

    assert [error["pointer"] for error in _body(answer)["errors"]] == ["#/sku"]
    assert world.dynamodb.tables[ORDERS] == {}


def test_a_field_that_is_sent_twice_is_named(service: ModuleType) -> None:
    body = json.dumps(ORDER)[:-1] + ', "sku": 7, "sku": "TEA"}'

    answer = service.handle(request(body=body), None)

    assert _body(answer)["detail"] == "Correct sku."


def test_the_time_of_a_step_begins_before_its_first_call(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin() -> float:
        world.dynamodb.calls.append("begun")
        return 0.0

    monkeypatch.setattr(service, "perf_counter", begin)

    service.handle(request(body=ORDER), None)

    assert world.dynamodb.calls == ["begun", "PutItem"]


@pytest.mark.parametrize(("size", "is_stored"), [(100 * 1024, True), (100 * 1024 + 1, False)])
def test_an_event_of_a_hundred_kibibytes_is_stored_and_one_byte_more_is_not(
    world: World, service: ModuleType, size: int, is_stored: bool
) -> None:
    table = service.orders
    order = service.api.OrderCreated(
        order_id=UUID(int=1),
        created_at="2026-01-31T09:00:00.000Z",
        traceparent=f"00-{1:032x}-{1:016x}-01",
        customer_id="CUST-1",
        sku="",
        quantity=1,
        amount_cents=1,
    )
    empty = len(OutboxEvent.of("orders.create_order", order).detail)
    order = msgspec.structs.replace(order, sku="S" * (size - empty))

    if is_stored:
        assert table.create(order).applied
    else:
        with pytest.raises(OrderTooLarge, match=str(size)):
            table.create(order)
    assert bool(world.dynamodb.tables[ORDERS]) == is_stored

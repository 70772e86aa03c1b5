"""create_order: the orders' door."""

import base64
import json
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ReadTimeoutError

from tests.world import ORDER_ID, ORDERS, World, request

ORDER = {"customerId": "CUST-1", "sku": "COFFEE", "quantity": 2, "amountCents": 1998}
KEY = {"idempotency-key": "a-key"}


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("create_order")


def test_an_order_is_stored_published_and_accepted(world: World, service: ModuleType) -> None:
    answer = service.handle(request(body=ORDER), None)

    body = json.loads(answer["body"])
    order_id = body["orderId"]
    assert answer["statusCode"] == 202
    assert answer["headers"]["Location"] == f"/orders/{order_id}"
    assert body == {"orderId": str(UUID(order_id)), "status": "CREATED"}
    stored = world.order(order_id)
    assert world.published == [
        {
            "source": "orders.create_order",
            "detail-type": "OrderCreated",
            "detail": {
                "orderId": order_id,
                "createdAt": stored["createdAt"],
                # Nobody gave a trace: one begins that is called like the order.
                "traceparent": f"00-{UUID(order_id).hex}-{UUID(order_id).hex[16:]}-01",
                **ORDER,
            },
        }
    ]
    assert stored["history"] == [{"status": "CREATED", "at": stored["createdAt"]}]


@pytest.mark.parametrize("field", ["quantity", "amountCents"])
def test_a_whole_number_is_read_however_it_is_written(
    world: World, service: ModuleType, field: str
) -> None:
    written = json.dumps({**ORDER, field: float(ORDER[field])})  # type: ignore[arg-type]

    answer = service.handle(request(body=written), None)

    assert answer["statusCode"] == 202
    assert world.published[0]["detail"][field] == ORDER[field]
    assert ".0" not in world.events.published[0]["Detail"].replace(".000Z", "")


def test_the_quantity_is_one_when_it_is_not_given(world: World, service: ModuleType) -> None:
    body = {name: value for name, value in ORDER.items() if name != "quantity"}

    service.handle(request(body=body), None)

    assert world.published[0]["detail"]["quantity"] == 1


def test_a_body_that_comes_as_base64_is_read(world: World, service: ModuleType) -> None:
    encoded = request(body=base64.b64encode(json.dumps(ORDER).encode()).decode())

    answer = service.handle({**encoded, "isBase64Encoded": True}, None)

    assert answer["statusCode"] == 202


def test_fields_that_are_not_known_are_ignored(world: World, service: ModuleType) -> None:
    answer = service.handle(request(body={**ORDER, "note": "a gift"}), None)

    assert answer["statusCode"] == 202
    assert "note" not in world.published[0]["detail"]


def test_orders_without_a_key_are_orders_of_their_own(world: World, service: ModuleType) -> None:
    service.handle(request(body=ORDER), None)
    service.handle(request(body=ORDER), None)

    assert len(world.dynamodb.tables[ORDERS]) == 2


def test_the_same_key_and_body_are_the_same_order_and_response(
    world: World, service: ModuleType
) -> None:
    first = service.handle(request(body=ORDER, headers=KEY), None)
    second = service.handle(request(body=ORDER, headers=KEY), None)

    assert first == second
    assert len(world.dynamodb.tables[ORDERS]) == 1
    assert world.events.published[0] == world.events.published[1]


def test_an_order_sent_again_in_another_trace_is_published_again_in_its_first(
    world: World, service: ModuleType
) -> None:
    first = {**KEY, "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    second = {**KEY, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    service.handle(request(body=ORDER, headers=first), None)
    again = service.handle(request(body=ORDER, headers=second), None)

    assert again["statusCode"] == 202
    assert world.events.published[0] == world.events.published[1]
    assert world.published[0]["detail"]["traceparent"] == first["traceparent"]


def test_an_order_sent_again_later_is_the_same_order_and_logged_as_a_duplicate(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = service.handle(request(body=ORDER, headers=KEY), None)
    later = service.utc_now() + timedelta(minutes=1)
    monkeypatch.setattr(service, "utc_now", lambda: later)

    second = service.handle(request(body=ORDER, headers=KEY), None)

    assert first == second
    assert first["headers"]["Content-Type"] == "application/json"
    assert world.events.published[0] == world.events.published[1]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["outcome"] for line in lines] == ["applied", "duplicate"]


def test_a_repeated_order_that_has_moved_on_is_not_published_again(
    world: World, service: ModuleType
) -> None:
    first = service.handle(request(body=ORDER, headers=KEY), None)
    order_id = json.loads(first["body"])["orderId"]
    world.dynamodb.tables[ORDERS][order_id]["status"] = {"S": "INVENTORY_RESERVED"}

    second = service.handle(request(body=ORDER, headers=KEY), None)

    assert first == second
    assert len(world.published) == 1


@pytest.mark.parametrize("change", [{"quantity": 3}, {"sku": "TEA"}, {"amountCents": 1}])
def test_the_same_key_with_another_body_is_refused(
    world: World, service: ModuleType, change: dict[str, Any]
) -> None:
    service.handle(request(body=ORDER, headers=KEY), None)
    before = world.snapshot()

    answer = service.handle(request(body={**ORDER, **change}, headers=KEY), None)

    assert _problem(answer, 422)["title"] == "Idempotency key reused"
    assert world.snapshot() == before
    assert len(world.published) == 1


@pytest.mark.parametrize("headers", [KEY, {}], ids=["with a key", "without one"])
@pytest.mark.parametrize("refusal", ["an entry", "the call"])
def test_an_order_that_is_stored_is_accepted_although_the_bus_refuses_its_event(
    world: World,
    service: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    headers: dict[str, str],
    refusal: str,
) -> None:
    world.events.refusals = 1
    if refusal == "the call":
        monkeypatch.setattr(world.events, "put_events", _times_out)

    answer = service.handle(request(body=ORDER, headers=headers), None)

    order_id = json.loads(answer["body"])["orderId"]
    assert (answer["statusCode"], world.published) == (202, [])
    assert world.order(order_id)["openShard"] == order_id[0]  # where the sweep finds it
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (line["level"], line["message"]) == ("ERROR", "order not published")
    assert (line["orderId"], line["bus"], line["unpublishedOrders"]) == (order_id, "bus", 1)
    [metrics] = line["_aws"]["CloudWatchMetrics"]
    assert (metrics["Namespace"], metrics["Dimensions"], metrics["Metrics"]) == (
        "OrderSaga",
        [["bus"]],
        [{"Name": "unpublishedOrders"}],
    )


def test_an_order_whose_event_was_refused_is_published_when_sent_again(
    world: World, service: ModuleType
) -> None:
    world.events.refusals = 1

    first = service.handle(request(body=ORDER, headers=KEY), None)
    second = service.handle(request(body=ORDER, headers=KEY), None)

    assert first == second
    assert len(world.dynamodb.tables[ORDERS]) == 1
    assert len(world.published) == 1


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "two words", "schlüssel", "tab\t", "k,k", "k, k", ","]
)
def test_a_key_that_is_not_visible_or_sent_twice_is_refused(
    world: World, service: ModuleType, key: str
) -> None:
    answer = service.handle(request(body=ORDER, headers={"idempotency-key": key}), None)

    assert _problem(answer, 400)["title"] == "Invalid Idempotency-Key"
    assert world.dynamodb.tables[ORDERS] == {}


@pytest.mark.parametrize(
    "body",
    [
        *("{", '{"sku": 7, }', "", "\ud800", '{"sku": "\\ud800"}', None, "9" * 5_000),
        "[" * 1_000,
        "[" * 8_000 + "]" * 8_000,
        json.dumps(ORDER)[:-1] + ', "note": ' + '{"a":' * 2_000 + "1" + "}" * 2_001,
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_is_not_json_is_refused(world: World, service: ModuleType, body: str | None) -> None:
    answer = service.handle(request(body=body), None)

    assert _problem(answer, 400)["title"] == "Malformed JSON"
    assert world.dynamodb.tables[ORDERS] == {}


@pytest.mark.parametrize("body", ["[]", "1", "null", '"order"'])
def test_json_that_is_no_object_is_refused(world: World, service: ModuleType, body: str) -> None:
    answer = service.handle(request(body=body), None)

    assert _problem(answer, 400)["title"] == "Malformed order"
    assert world.dynamodb.tables[ORDERS] == {}


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("customerId", 7, "Expected `str`, got `int`"),
        ("customerId", "", "Expected `str` of length >= 1"),
        ("sku", None, "Expected `str`, got `null`"),
        ("sku", "S" * 129, "Expected `str` of length <= 128"),
        ("quantity", 0, "Expected `int` >= 1"),
        ("quantity", 1001, "Expected `int` <= 1000"),
        ("quantity", 1.5, "Expected `int`, got `float`"),
        ("quantity", True, "Expected `int`, got `bool`"),
        ("amountCents", -1, "Expected `int` >= 0"),
        ("amountCents", "5", "Expected `int`, got `str`"),
        ("amountCents", 2**53, "Expected `int` <= 9007199254740991"),
    ],
)
def test_a_wrong_field_is_named(
    world: World, service: ModuleType, field: str, value: Any, detail: str
) -> None:
    answer = service.handle(request(body={**ORDER, field: value}), None)

    assert _problem(answer, 422)["errors"] == [{"pointer": f"#/{field}", "detail": detail}]
    assert world.dynamodb.tables[ORDERS] == {}
    assert world.published == []


def test_every_wrong_field_is_named_at_once(world: World, service: ModuleType) -> None:
    answer = service.handle(request(body={"sku": 5, "quantity": 0}), None)

    problem = _problem(answer, 422)
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/customerId",
        "#/sku",
        "#/quantity",
        "#/amountCents",
    ]
    assert problem["detail"] == "Correct customerId, sku, quantity, amountCents."


def test_a_body_of_16_kb_is_read_and_one_byte_more_is_refused(
    world: World, service: ModuleType
) -> None:
    room = 16 * 1024 - len(json.dumps({**ORDER, "note": ""}))
    fits = json.dumps({**ORDER, "note": "n" * room})

    accepted = service.handle(request(body=fits), None)
    refused = service.handle(request(body=fits + " "), None)

    assert accepted["statusCode"] == 202
    assert _problem(refused, 413)["detail"] == "Send at most 16384 bytes; these are 16385."
    assert len(world.published) == 1


def test_an_order_whose_event_leaves_no_room_for_later_steps_is_refused_and_not_stored(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.handle(request(body=ORDER), None)
    size = len(world.events.published[0]["Detail"].encode())
    before = world.snapshot()

    monkeypatch.setattr("create_order.orders.MAX_DETAIL_BYTES", size)
    fits = service.handle(request(body=ORDER), None)
    monkeypatch.setattr("create_order.orders.MAX_DETAIL_BYTES", size - 1)
    refused = service.handle(request(body=ORDER), None)

    assert (fits["statusCode"], refused["statusCode"]) == (202, 422)
    assert json.loads(refused["body"])["detail"] == (
        f"Shorten its fields: its event has {size} bytes."
    )
    assert len(world.snapshot()[ORDERS]) == len(before[ORDERS]) + 1
    assert len(world.published) == 2


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/orders", "POST"),
        ("PUT", "/orders", "POST"),
        ("DELETE", f"/orders/{ORDER_ID}", "GET"),
    ],
)
def test_a_wrong_method_gets_the_right_one_in_the_response(
    service: ModuleType, method: str, path: str, allowed: str
) -> None:
    answer = service.handle(request(method, path), None)

    assert _problem(answer, 405)["detail"] == f"Use {allowed} here."
    assert answer["headers"]["Allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/nothing", f"/orders/{ORDER_ID}/items"])
def test_another_path_is_not_found(service: ModuleType, path: str) -> None:
    answer = service.handle(request("GET", path), None)

    assert _problem(answer, 404)["title"] == "Not found"


@pytest.mark.parametrize(
    ("twice", "pointer"),
    [
        ('"quantity": "2", "quantity": 2', "#/quantity"),
        ('"quantity": 1.5, "quantity": 2', "#/quantity"),
        ('"sku": null, "sku": "TEA"', "#/sku"),
        ('"amountCents": -1, "amountCents": 1', "#/amountCents"),
        ('"customerId": {}, "customerId": "C"', "#/customerId"),
    ],
)
def test_a_field_that_comes_twice_with_a_wrong_value_first_is_named(
    world: World, service: ModuleType, twice: str, pointer: str
) -> None:
    answer = service.handle(request(body=json.dumps(ORDER)[:-1] + f", {twice}}}"), None)

    [error] = _problem(answer, 422)["errors"]
    assert error["pointer"] == pointer
    assert error["detail"].endswith(", and sent more than once")


@pytest.mark.parametrize("body", ["%%%", "a", "\xff\xff", "YQ"])
def test_a_body_in_base64_that_is_none_is_refused(
    world: World, service: ModuleType, body: str
) -> None:
    answer = service.handle({**request(body=body), "isBase64Encoded": True}, None)

    assert answer["statusCode"] == 400
    assert world.dynamodb.tables[ORDERS] == {}


def test_a_trace_that_is_sent_twice_is_not_passed_on(world: World, service: ModuleType) -> None:
    twice = ",".join([f"00-{'a' * 32}-{'b' * 16}-01"] * 2)

    service.handle(request(body=ORDER, headers={"traceparent": twice}), None)

    assert "a" * 32 not in world.published[0]["detail"]["traceparent"]


@pytest.mark.parametrize(
    "order_id",
    [
        *("not-a-uuid", f"{{{ORDER_ID}}}", f"urn:uuid:{ORDER_ID}", f" {ORDER_ID}", ""),
        ORDER_ID.replace("-", ""),
        "\uff19" + ORDER_ID[1:],
        ORDER_ID + "\n",
    ],
    ids=ascii,
)
def test_an_order_is_found_by_no_other_form_of_its_id(
    world: World, service: ModuleType, order_id: str
) -> None:
    world.store_order("CREATED")

    answer = service.handle(request("GET", f"/orders/{order_id}"), None)

    assert answer["statusCode"] in (404, 405)


def test_an_order_is_found_by_its_id_in_capitals(world: World, service: ModuleType) -> None:
    world.store_order("CREATED")

    answer = service.handle(request("GET", f"/orders/{ORDER_ID.upper()}"), None)

    assert json.loads(answer["body"])["orderId"] == ORDER_ID


@pytest.mark.parametrize("order_id", [ORDER_ID, "not-a-uuid"])
def test_an_unknown_order_is_not_found(service: ModuleType, order_id: str) -> None:
    answer = service.handle(request("GET", f"/orders/{order_id}"), None)

    assert _problem(answer, 404)["title"] == "Unknown order"


def test_without_a_key_a_503_says_where_the_order_is_if_it_is_stored(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_item = world.dynamodb.put_item

    def loses_its_response(**put: Any) -> Any:
        put_item(**put)
        return _times_out()

    monkeypatch.setattr(world.dynamodb, "put_item", loses_its_response)

    refused = service.handle(request(body=ORDER), None)
    looked_up = service.handle(request("GET", refused["headers"]["Location"]), None)

    [order_id] = world.dynamodb.tables[ORDERS]
    assert _problem(refused, 503)["detail"] == (
        f"It is not known whether the order is stored: GET /orders/{order_id} in a few seconds, "
        "and send this again only if that is a 404."
    )
    assert "Retry-After" not in refused["headers"]
    assert looked_up["statusCode"] == 200


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            request(body=ORDER, headers=KEY),
            "It is not known whether the order is stored: send this again with the same "
            "Idempotency-Key: it will be one order.",
        ),
        (request("GET", f"/orders/{ORDER_ID}"), "cannot be looked up just now: ask again"),
    ],
    ids=["POST", "GET"],
)
def test_a_table_that_does_not_respond_is_a_503_with_what_to_do(
    world: World, service: ModuleType, monkeypatch: pytest.MonkeyPatch, asked: Any, words: str
) -> None:
    for call in ("get_item", "put_item"):
        monkeypatch.setattr(world.dynamodb, call, _times_out)

    answer = service.handle(asked, None)

    assert words in _problem(answer, 503)["detail"]
    assert answer["headers"]["Retry-After"] == "1"


def test_a_record_has_what_happened_and_nothing_of_the_customer(
    world: World, service: ModuleType
) -> None:
    world.store_order("SHIPPING_SCHEDULED")

    answer = service.handle(request("GET", f"/orders/{ORDER_ID}"), None)

    stored = world.order()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {
        "orderId": ORDER_ID,
        "status": "SHIPPING_SCHEDULED",
        "reservationId": stored["reservationId"],
        "paymentId": stored["paymentId"],
        "trackingNumber": stored["trackingNumber"],
        "history": [{"status": "SHIPPING_SCHEDULED", "at": "2026-01-31T09:00:00.000Z"}],
    }


def _times_out(**_: Any) -> Any:
    raise ReadTimeoutError(endpoint_url="https://dynamodb")


def _problem(answer: dict[str, Any], status: int) -> dict[str, Any]:
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer["body"])
    assert (answer["statusCode"], problem["status"]) == (status, status)
    return problem

"""The door to the world: whatever a request has, it is answered, and never by a 5xx."""

from __future__ import annotations

import base64
import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.texts import json_texts, texts
from tests.world import ORDER_ID, ORDERS, World

ORDER = {"customerId": "CUST-1", "sku": "COFFEE", "quantity": 2, "amountCents": 1998}
KEYS = ["idempotency-key", "traceparent", "content-type", "content-encoding", "authorization"]

headers = st.dictionaries(
    st.sampled_from(KEYS), st.one_of(texts, st.sampled_from(["k", "k,k", "k, k", "," * 256]))
)
bodies = json_texts(ORDER)
paths = st.one_of(
    st.sampled_from(["/orders", "/orders/", "//orders", "/orders//", f"/orders/{ORDER_ID}"]),
    st.builds("/orders/{}".format, st.one_of(texts, st.uuids().map(lambda one: f"{{{one}}}"))),
    st.text(max_size=20),
)


@pytest.fixture
def service(world: World) -> ModuleType:
    return world.handler("create_order")


@given(body=bodies, headers=headers)
def test_every_post_is_accepted_or_refused(
    world: World, service: ModuleType, body: str, headers: dict[str, str]
) -> None:
    answer = _ask(world, service, "POST", "/orders", body, headers)

    assert answer["statusCode"] in (202, 400, 413, 422)
    assert len(world.dynamodb.tables[ORDERS]) == (answer["statusCode"] == 202)
    if answer["statusCode"] == 422:
        assert json.loads(answer["body"])["detail"].removeprefix("Correct ").strip(" .")


@given(body=st.one_of(st.binary(max_size=60).map(base64.b64encode), st.binary(max_size=60)))
def test_every_body_in_base64_is_accepted_or_refused(
    world: World, service: ModuleType, body: bytes
) -> None:
    answer = _ask(world, service, "POST", "/orders", body.decode("latin-1"), {}, encoded=True)

    assert answer["statusCode"] in (202, 400, 413, 422)


@given(method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "ODD"]), path=paths)
def test_every_path_is_answered(world: World, service: ModuleType, method: str, path: str) -> None:
    answer = _ask(world, service, method, path, None, {})

    assert answer["statusCode"] in (400, 404, 405)


def _ask(
    world: World,
    service: ModuleType,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
    *,
    encoded: bool = False,
) -> dict[str, Any]:
    """Ask as API Gateway does, of a shop without orders."""
    world.dynamodb.tables[ORDERS].clear()
    asked = {
        "rawPath": path,
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body,
        "isBase64Encoded": encoded,
    }
    answer: dict[str, Any] = service.handle(asked, None)
    # What the runtime client does with it.
    json.dumps(answer).encode()
    return answer

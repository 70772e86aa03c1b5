"""What a customer lets slip goes no further: it is in no log, no event, no item, no queue.

What does go on is what the shop asked for. The customer's id is one that the shop chose: it is in
the events and the items, as the charge and the shipment are made for it, and in no log. So is the
SKU. The order's id is everywhere.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from harness.connect import session
from harness.environment import Environment
from harness.logs import events
from harness.names import PREFIX
from tests.e2e.bus import Bus, Tap
from tests.e2e.shop import Shop, eventually

CANARY = "Canary-7f3a"
CUSTOMER, SKU = "CUST-OF-THE-CANARY", "SKU-OF-THE-CANARY"
ORDER = {"customerId": CUSTOMER, "sku": SKU, "quantity": 1, "amountCents": 500}
SLIPS: dict[str, Any] = {
    "name": f"{CANARY}-name",
    "email": f"{CANARY}-email@example.com",
    "card": {"number": f"{CANARY}-card", "holders": [f"{CANARY}-holder"]},
    f"{CANARY}-field": "address",
    "reservationId": f"{CANARY}-reservation",
    "event": {"detail": f"{CANARY}-event"},
}
HEADERS = {
    "User-Agent": f"{CANARY}-agent",
    "Authorization": f"Bearer {CANARY}-token",
    "Cookie": f"session={CANARY}-cookie",
    "Referer": f"https://example.com/{CANARY}-referer",
    "X-Forwarded-For": f"{CANARY}-address",
    "X-Customer-Name": f"{CANARY}-header",
}


def test_what_a_customer_lets_slip_goes_no_further(saga: Environment, shop: Shop, bus: Bus) -> None:
    shop.stock.set({SKU: 5})

    with bus.tapped() as tap:
        placed = [
            _send(saga, {**ORDER, **SLIPS}, number, customer=customer, sku=sku)
            for number, (customer, sku) in enumerate(
                [(CUSTOMER, SKU), ("CUST-DECLINE", SKU), (CUSTOMER, "NOT-OF-THE-CANARY")]
            )
        ]
        refused = list(_refused(saga))
        order_ids = [response.json()["orderId"] for response in placed]
        shop.end(order_ids)
        eventually(lambda: tap.of(order_ids[0], "ShippingScheduled"))
        places = _places(saga, tap)

    assert [response.status_code for response in placed] == [202, 202, 202]
    assert refused == [400, 400, 404, 405, 413, 422, 422]
    assert {place for place, text in places if CANARY.lower() in text.lower()} == set()
    # That the search finds what is there: these are where they belong, and nowhere else.
    assert _kinds(places, order_ids[0]) == {"event", "item", "log"}
    assert _kinds(places, CUSTOMER) == {"event", "item"}
    assert _kinds(places, SKU) == {"event", "item"}


def _send(
    saga: Environment, body: dict[str, Any], number: int, *, customer: str, sku: str
) -> httpx.Response:
    return httpx.post(
        f"{saga.api_url}/orders?email={CANARY}-query",
        json={**body, "customerId": customer, "sku": sku},
        headers={**HEADERS, "Idempotency-Key": f"{CANARY}-key-{number}"},
        timeout=60,
    )


def _refused(saga: Environment) -> Iterator[int]:
    """Send what is refused, each for another reason, and yield the statuses."""

    def send(method: str, path: str, body: str, key: str = f"{CANARY}-refused") -> int:
        url = f"{saga.api_url}{path}?email={CANARY}-query"
        headers = {**HEADERS, "Idempotency-Key": key}
        return httpx.request(method, url, content=body, headers=headers, timeout=60).status_code

    yield send("POST", "/orders", f'{{"name": "{CANARY}-broken')
    yield send("POST", "/orders", json.dumps(ORDER), f"{CANARY} with spaces")
    yield send("GET", f"/orders/{CANARY}-order", "")
    yield send("DELETE", "/orders", f"{CANARY}-deleted")
    yield send("POST", "/orders", json.dumps({**ORDER, "note": CANARY * 2000}))
    yield send("POST", "/orders", json.dumps({**ORDER, "quantity": f"{CANARY}-quantity"}))
    # The key of the first order, with another body.
    yield send("POST", "/orders", json.dumps({**ORDER, "amountCents": 1}), f"{CANARY}-key-0")


def _places(saga: Environment, tap: Tap) -> list[tuple[str, str]]:
    """Return everything that is stored or was published anywhere, with its place."""
    return [
        *(("event of " + event["source"], json.dumps(event)) for event in tap.events()),
        *_items(saga),
        *_logged(saga),
        *_queued(saga),
    ]


def _items(saga: Environment) -> Iterator[tuple[str, str]]:
    dynamodb = session().client("dynamodb", endpoint_url=saga.endpoint)
    for table in dynamodb.list_tables()["TableNames"]:
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                yield f"item of {table}", json.dumps(item)


def _logged(saga: Environment) -> Iterator[tuple[str, str]]:
    logs = session().client("logs", endpoint_url=saga.endpoint)
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    # The API's access log among them, which this emulator does not write.
    assert f"/aws/vendedlogs/{PREFIX}-api" in groups
    for group in groups:
        for event in events(logs, group):
            yield f"log {group}", event["message"]


def _queued(saga: Environment) -> Iterator[tuple[str, str]]:
    sqs = session().client("sqs", endpoint_url=saga.endpoint)
    urls = [url for url in sqs.list_queues()["QueueUrls"] if url.endswith("-failures")]
    assert len(urls) == 4
    for url in urls:
        # Left in the queue: whoever redrives it shall find it.
        response = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        for message in response.get("Messages", []):
            yield f"queue {url}", json.dumps(message)


def _kinds(places: list[tuple[str, str]], wanted: str) -> set[str]:
    return {place.split()[0] for place, text in places if wanted in text}

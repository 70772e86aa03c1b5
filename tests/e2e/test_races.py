"""Many customers at once: with one key, and for one SKU."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from harness.orders import Request
from tests.e2e.bus import Bus
from tests.e2e.shop import Shop


def test_of_fifty_equal_posts_at_once_with_one_key_there_is_one_order_and_one_charge(
    shop: Shop, bus: Bus
) -> None:
    shop.stock.set({"ONE-KEY": 100})
    order = Request(customer_id="CUST-ONE-KEY", sku="ONE-KEY", quantity=2, amount_cents=500)

    with bus.tapped() as tap:
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: shop.order(order, "fifty-at-once"), range(50)))
        order_id = str(answers[0].json()["orderId"])
        shop.end([order_id])
        charges = tap.of(order_id, "PaymentCharged")

    assert {_answer(response) for response in answers} == {
        (202, f'{{"orderId":"{order_id}","status":"CREATED"}}', f"/orders/{order_id}")
    }
    stored = [item for item in shop.all_stored() if item["customerId"] == order.customer_id]
    assert [item["status"] for item in stored] == ["SHIPPING_SCHEDULED"]
    # Published more than once, as each duplicate re-publishes it, and always the same bytes.
    paid = {(charge["detail"]["paymentId"], charge["detail"]["amountCents"]) for charge in charges}
    assert paid == {(stored[0]["paymentId"], 500)}
    assert shop.stock.units("ONE-KEY") == 98


def test_of_forty_buyers_of_fifteen_units_fifteen_get_one(shop: Shop) -> None:
    shop.stock.set({"FIFTEEN": 15})
    order = Request(customer_id="CUST-1", sku="FIFTEEN", quantity=1, amount_cents=500)

    with ThreadPoolExecutor(40) as pool:
        placed = list(pool.map(lambda n: shop.place(order, f"buyer-{n}-of-forty"), range(40)))
    shop.end(placed)

    ends = Counter(shop.stored(order_id)["status"] for order_id in placed)
    assert ends == {"SHIPPING_SCHEDULED": 15, "INVENTORY_FAILED": 25}
    assert shop.stock.units("FIFTEEN") == 0


def _answer(response: httpx.Response) -> tuple[int, str, str]:
    return response.status_code, response.text, response.headers["location"]

"""What reaches the page: events off the bus, and requests of its buttons."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette

from harness import flow
from harness.bus import ObservedEvent
from harness.ui.live import Live
from harness.ui.server import BUTTONS, app
from harness.ui.watch import Watch
from tests.fuzz.texts import ODD, json_texts
from tests.world import SAMPLES

ADDRESS = "127.0.0.1:4000"
EVENT = SAMPLES["PaymentCharged"]
FLOW = flow.load()
bodies = st.one_of(
    json_texts({"scenario": "happy", "service": "charge_payment", "orderId": "1", "event": "E"})
    .filter(lambda text: text.isprintable())
    .map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(max_size=60),
)


@given(
    texts=st.lists(
        st.one_of(
            json_texts(EVENT),
            json_texts(EVENT["detail"]).map(
                lambda detail: json.dumps(EVENT).replace(json.dumps(EVENT["detail"]), detail)
            ),
        ),
        max_size=4,
    )
)
def test_whatever_is_on_the_bus_can_be_sent_to_the_page(texts: list[str]) -> None:
    watch = Watch(FLOW, overdue_after=1000)
    for at, text in enumerate(texts):
        watch.observe(ObservedEvent(at, text))

    rows = watch.everything().orders

    assert len(rows) <= len(texts)
    assert all(watch.timeline(row.order_id) for row in rows)


@pytest.fixture
def page(tmp_path: Path) -> Starlette:
    return app(Live(tmp_path, "order-saga", 1), ADDRESS)


@given(button=st.sampled_from(sorted(BUTTONS)), body=bodies)
def test_every_press_of_a_button_is_answered(page: Starlette, button: str, body: bytes) -> None:
    answer = _ask(page, "POST", button, body)

    # Nothing runs here: what can be read is refused for that.
    assert answer.status_code in (400, 409)


@given(order_id=st.one_of(st.uuids().map(str), st.sampled_from(ODD), st.text(max_size=20)))
@example("0/")
def test_every_order_that_is_asked_for_is_answered(page: Starlette, order_id: str) -> None:
    answer = _ask(page, "GET", f"/orders/{quote(order_id, safe='', errors='surrogatepass')}")

    assert answer.status_code in (404, 405)


def _ask(page: Starlette, method: str, path: str, body: bytes = b"") -> httpx.Response:
    """Ask as the page does; an error of the server is raised here."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(page)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{ADDRESS}") as client:
            headers = {"origin": f"http://{ADDRESS}"}
            return await client.request(method, path, content=body, headers=headers)

    return asyncio.run(ask())

"""The page in a real browser: what a person sees, and does by mouse and keyboard."""

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, ViewportSize, expect, sync_playwright
from playwright.sync_api import Page as Tab

from harness import environment, flow
from harness.emulator import ROOT
from harness.environment import Environment
from harness.orders import SCENARIOS, Orders
from tests.browser import CHROMIUM, needs_chromium
from tests.e2e.shop import eventually
from tests.ui.conftest import Page, empty, fail, serving
from tests.world import ORDER_ID, sample

pytestmark = needs_chromium

SECONDS = 60  # a slow machine starts functions slowly
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PHONE: ViewportSize = {"width": 360, "height": 780}
DESK: ViewportSize = {"width": 1320, "height": 820}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SECONDS * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, page: Page) -> Iterator[Tab]:
    """Open the page; all its requests have to go to its own server."""
    with browser.new_context(viewport=DESK, reduced_motion="reduce") as context:
        tab = context.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("websocket", lambda socket: asked.append(socket.url))
        tab.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        tab.on("console", lambda line: complaints.append(line.text) if _is_bad(line.text) else None)
        _open(tab, page.url)
        yield tab
        # What a test has stopped consumes again for the next one.
        for service in flow.load().consumers:
            page.do("start", service=service)
        assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}
        assert complaints == []


def test_a_happy_order_is_clicked_and_its_timeline_read(tab: Tab) -> None:
    order_id = _place(tab, "Happy order")

    expect(_verdict(tab)).to_contain_text("completed")
    _expect_steps(
        tab,
        "OrderCreated",
        "InventoryReserved",
        "PaymentCharged",
        "ShippingScheduled",
    )
    expect(_verdict(tab)).to_contain_text("Ended: SHIPPING_SCHEDULED, after")
    expect(_row(tab, order_id)).to_contain_text("completed")
    expect(_row(tab, order_id)).to_contain_text("SHIPPING_SCHEDULED")
    expect(tab.locator("#timeline")).to_contain_text("published by orders.charge_payment")


def test_an_order_out_of_stock_shows_the_reason(tab: Tab) -> None:
    order_id = _place(tab, "Out of stock")

    expect(_verdict(tab)).to_contain_text("Ended: INVENTORY_FAILED: out of stock")
    _expect_steps(tab, "OrderCreated", "InventoryFailed")
    expect(_row(tab, order_id)).to_contain_text("failed")


def test_a_declined_order_is_followed_to_its_end_without_an_event(tab: Tab) -> None:
    order_id = _place(tab, "Card declined")

    expect(_verdict(tab)).to_contain_text("Ended: INVENTORY_RELEASED: card declined")
    _expect_steps(
        tab,
        "OrderCreated",
        "InventoryReserved",
        "PaymentFailed",
        "INVENTORY_RELEASED",
    )
    expect(tab.locator("#timeline")).to_contain_text("no event published")
    expect(_row(tab, order_id)).to_contain_text("compensated")


def test_a_body_is_shown_as_it_was_observed(tab: Tab) -> None:
    order_id = _place(tab, "Happy order")
    body = tab.locator("#timeline pre").first

    tab.get_by_text("Its body on the bus").first.click()

    expect(body).to_contain_text('"detail-type": "OrderCreated"')
    expect(body).to_contain_text(f'"orderId": "{order_id}"')
    # It stays open while the order goes on.
    expect(_verdict(tab)).to_contain_text("completed")
    expect(body).to_be_visible()


def test_an_event_lights_its_arrow_and_is_counted_in_the_picture(tab: Tab) -> None:
    count = tab.locator('#picture [data-count="event:OrderCreated"]')
    expect(count).not_to_be_empty()
    before = int(count.inner_html())
    tab.evaluate(
        """() => {
            const arrow = document.querySelector('#picture [data-event="OrderCreated"]');
            new MutationObserver(() => { arrow.dataset.wasLit = arrow.classList.contains("lit")
                || arrow.dataset.wasLit; }).observe(arrow, { attributeFilter: ["class"] });
        }"""
    )

    _place(tab, "Out of stock")

    expect(count).to_have_text(str(before + 1))
    arrow = tab.locator('#picture [data-event="OrderCreated"]')
    expect(arrow).to_have_attribute("data-was-lit", "true")


def test_a_stopped_service_shows_as_an_overdue_order_and_resume_heals_it(tab: Tab) -> None:
    tab.get_by_role("button", name="Stop charge_payment").click()
    start = tab.get_by_role("button", name="Start charge_payment")
    expect(start).to_be_visible()

    order_id = _place(tab, "Happy order")

    expect(_row(tab, order_id)).to_contain_text("overdue")
    expect(_verdict(tab)).to_contain_text("charge_payment is stopped: start it")
    expect(tab.locator("#services")).to_contain_text("stopped: consumes nothing")
    expect(tab.get_by_role("status")).to_contain_text("overdue")

    start.click()
    expect(tab.get_by_role("button", name="Stop charge_payment")).to_be_visible()
    tab.get_by_role("button", name="Resume open orders").click()

    expect(_verdict(tab)).to_contain_text("completed")
    expect(tab.locator("#timeline")).to_contain_text("a duplicate, the same bytes")


def test_a_redelivered_event_shows_twice_and_the_order_does_not_change(tab: Tab) -> None:
    order_id = _place(tab, "Out of stock")
    expect(_verdict(tab)).to_contain_text("INVENTORY_FAILED")

    tab.get_by_role("button", name="Redeliver an event").click()

    expect(tab.get_by_role("status")).to_have_text(
        f"InventoryFailed of order {order_id} was redelivered."
    )
    expect(tab.locator("#timeline li.duplicate h3")).to_have_text("InventoryFailed")
    expect(_row(tab, order_id)).to_contain_text("failed")


def test_a_burst_of_fifty_streams_in_and_is_counted(tab: Tab) -> None:
    expect(tab.locator("#services li")).to_have_count(4)
    before = _ended(tab)

    tab.get_by_role("button", name="Burst of 50").click()

    expect(tab.get_by_role("status")).to_have_text("50 orders are placed.")
    with contextlib.suppress(AssertionError):
        eventually(lambda: _ended(tab) >= before + 50, seconds=2 * SECONDS)
    # On a busy machine a function may not start in time: the emulator loses its event.
    if _ended(tab) < before + 50:
        tab.get_by_role("button", name="Resume open orders").click()
    eventually(lambda: _ended(tab) >= before + 50, seconds=3 * SECONDS)


def test_the_list_can_be_filtered_and_searched_and_paused(tab: Tab, orders: Orders) -> None:
    tea = msgspec.structs.replace(SCENARIOS["happy"], sku="TEA", customer_id="CUST-TEA")
    order_id = orders.ended(orders.place(tea))["orderId"]
    rows = tab.locator("#list tbody tr")

    tab.get_by_label("Find").fill("cust-tea")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(order_id[:8])
    tab.get_by_label("Show").select_option("overdue")
    expect(tab.locator("#none")).to_be_visible()
    tab.get_by_label("Show").select_option("ended")
    # The page learns of the end later than the record has it, and a paused list would not.
    expect(rows).to_have_count(1)
    tab.get_by_role("button", name="Pause").click()
    before = _ended(tab)
    orders.ended(orders.place(tea))
    eventually(lambda: _ended(tab) > before)
    expect(tab.locator("#tally")).to_contain_text("the list is paused")
    expect(rows).to_have_count(1)
    tab.get_by_role("button", name="Pause").click()

    expect(rows).to_have_count(2)


def test_by_keyboard_alone_an_order_is_placed_found_and_opened(tab: Tab) -> None:
    tab.get_by_role("button", name="Out of stock").focus()
    tab.keyboard.press("Enter")
    expect(_verdict(tab)).to_contain_text("out of stock")
    order_id = _chosen(tab)

    tab.get_by_label("Find").focus()
    tab.keyboard.type(order_id)
    tab.keyboard.press("Enter")

    expect(tab.locator("#timeline-title")).to_be_focused()
    tab.get_by_label("Find").focus()
    tab.keyboard.press("Tab")  # to the pause,
    tab.keyboard.press("Tab")  # the list, that arrow keys scroll,
    tab.keyboard.press("Tab")  # and its first order
    expect(_row(tab, order_id).get_by_role("button")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#timeline-title")).to_be_focused()


def test_the_messages_of_failure_queues_are_shown_on_demand(tab: Tab, saga: Environment) -> None:
    event = sample("InventoryReserved", customerId=HOSTILE)
    fail(saga, "charge_payment", json.dumps(event), {"ERROR_CODE": "NO_RESOURCE"})

    tab.get_by_role("button", name="Look inside").click()

    expect(tab.get_by_role("status")).to_have_text("1 failed event.")
    found = tab.locator("#found li")
    expect(found).to_contain_text("transient InventoryReserved for charge_payment")
    expect(found).to_contain_text("not delivered: NO_RESOURCE")
    expect(found.get_by_role("button")).to_have_text(ORDER_ID)
    found.get_by_text("The message").click()
    expect(found.locator("pre")).to_contain_text("<img src=x onerror=")
    expect(tab.locator("#failures tr").filter(has_text="charge_payment")).to_contain_text("1")
    empty(saga, "charge_payment")


def test_the_stock_is_shown_per_sku_also_of_one_that_was_only_ordered(
    tab: Tab, saga: Environment, orders: Orders
) -> None:
    saga.stock.set({"RARE": 3})
    rare = msgspec.structs.replace(SCENARIOS["happy"], sku="RARE", quantity=2)
    orders.ended(orders.place(rare))

    stock = tab.locator("#stock tbody tr").filter(has_text="RARE")

    expect(stock.locator("td")).to_have_text("1")


def test_markup_in_what_a_customer_sends_is_shown_as_text(tab: Tab, orders: Orders) -> None:
    order = msgspec.structs.replace(SCENARIOS["happy"], customer_id=HOSTILE, sku=HOSTILE)
    order_id = orders.place(order)

    row = _row(tab, order_id)
    expect(row).to_contain_text(HOSTILE)
    row.get_by_role("button").click()
    tab.get_by_text("Its body on the bus").first.click()

    expect(_verdict(tab)).to_contain_text("out of stock")
    expect(tab.locator(".facts")).to_contain_text(HOSTILE)
    expect(tab.locator("#timeline pre").first).to_contain_text("<img src=x onerror=")
    expect(tab.locator("#stock")).to_contain_text(HOSTILE)
    assert tab.locator("img").count() == 0
    assert tab.title() == "Order saga, live"


def test_a_checker_of_accessibility_finds_nothing(tab: Tab, orders: Orders) -> None:
    _show_all_states(tab, orders)
    tab.get_by_text("The counts as a table").click()
    tab.get_by_text("Its body on the bus").first.click()

    found = []
    for size in (DESK, PHONE):
        for scheme in SCHEMES:
            tab.set_viewport_size(size)
            tab.emulate_media(color_scheme=scheme)
            found.append(Axe().run(tab).generate_snapshot())

    assert found == [""] * 4


def test_it_fits_a_phone_and_a_wide_screen(tab: Tab, orders: Orders) -> None:
    _show_all_states(tab, orders)

    for width in (320, 360, 800, 1152, 1600, 2560):
        tab.set_viewport_size({"width": width, "height": 800})

        assert tab.evaluate("document.documentElement.scrollWidth") == width


def test_when_the_page_s_server_ends_it_shows_that(
    browser: Browser, home: Path, page: Page
) -> None:
    with browser.new_context() as context, serving(home) as other:
        tab = context.new_page()
        _open(tab, other.url)

        other.end(signal.SIGINT)

        expect(tab.get_by_role("alert")).to_contain_text("Not connected to saga ui")
        expect(tab.locator("#connection")).to_have_text("Not connected")
        tab.get_by_role("button", name="Happy order").click()
        expect(tab.get_by_role("status")).to_contain_text("the page is not connected")


def test_it_survives_the_environment_going_away_and_coming_back(
    browser: Browser, tmp_path: Path
) -> None:
    environment.up(tmp_path, None, lambda doing: None)
    try:
        with browser.new_context() as context, serving(tmp_path) as page:
            tab = context.new_page()
            _open(tab, page.url)
            _place(tab, "Out of stock")
            expect(_verdict(tab)).to_contain_text("out of stock")

            environment.down(tmp_path)
            expect(tab.get_by_role("alert")).to_contain_text("Start one with saga up")
            tab.get_by_role("button", name="Happy order").click()
            expect(tab.get_by_role("status")).to_contain_text("No environment is running")

            environment.up(tmp_path, None, lambda doing: None)
            expect(tab.locator("#connection")).to_contain_text("Watching")
            expect(tab.get_by_role("alert")).to_be_empty()
            order_id = _place(tab, "Happy order")

            expect(_row(tab, order_id)).to_contain_text("completed")
            # The new environment has none of the old one's orders.
            expect(tab.locator("#list tbody tr")).to_have_count(1)
    finally:
        environment.down(tmp_path)


def test_it_looks_like_this(tab: Tab, orders: Orders, tmp_path: Path) -> None:
    """Take the pictures of the README: SCREENSHOTS names the folder that they go to."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    _show_all_states(tab, orders)
    tab.locator("#announcement").evaluate("line => line.textContent = ''")
    tab.mouse.move(0, 0)

    pictures = (("light", "light", DESK), ("dark", "dark", DESK), ("phone", "light", PHONE))
    for name, scheme, size in pictures:
        tab.set_viewport_size(size)
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        top = "#timeline" if name == "phone" else "body"
        tab.locator(top).evaluate("at => at.scrollIntoView()")
        tab.screenshot(path=folder / f"{name}.png")

    assert {path.name for path in folder.glob("*.png")} == {"light.png", "dark.png", "phone.png"}


def test_the_pictures_of_the_readme_are_small() -> None:
    pictures = list((ROOT / "docs" / "ui").glob("*.png"))

    assert len(pictures) == 3
    assert all(picture.stat().st_size < 200_000 for picture in pictures)


def _open(tab: Tab, url: str) -> None:
    tab.goto(url)
    expect(tab.locator("#connection")).to_contain_text("Watching")
    expect(tab.locator("#services li")).to_have_count(4)


def _is_bad(line: str) -> bool:
    # A refusal that a test provokes is written there by the browser itself.
    return "Failed to load resource" not in line


def _place(tab: Tab, button: str) -> str:
    """Press the button of a scenario, and return the order's id."""
    before = _chosen(tab)
    tab.get_by_role("button", name=button).click()
    expect(tab.locator("#one .id")).not_to_have_text(before or "none")
    return _chosen(tab)


def _chosen(tab: Tab) -> str:
    shown = tab.locator("#one .id")
    return shown.inner_text() if shown.count() else ""


def _row(tab: Tab, order_id: str) -> Locator:
    return tab.locator(f'#list tr[data-order="{order_id}"]')


def _verdict(tab: Tab) -> Locator:
    return tab.locator("#one .verdict")


def _expect_steps(tab: Tab, *steps: str) -> None:
    """Wait until the timeline has these: the bus's events come when they come."""
    expect(tab.locator("#timeline li h3")).to_have_text(steps)


def _ended(tab: Tab) -> int:
    tally = tab.locator("#tally").inner_text()
    found = re.search(r"(\d+) ended", tally)
    return int(found[1]) if found else 0


def _show_all_states(tab: Tab, orders: Orders) -> None:
    """Have an order in each state, and choose the one that is overdue; a service is stopped."""
    for order in SCENARIOS.values():
        orders.ended(orders.place(order))
    tab.get_by_role("button", name="Stop notify_shipping").click()
    expect(tab.get_by_role("button", name="Start notify_shipping")).to_be_visible()
    order_id = _place(tab, "Happy order")
    expect(_row(tab, order_id)).to_contain_text("overdue")
    expect(_verdict(tab)).to_contain_text("notify_shipping is stopped")

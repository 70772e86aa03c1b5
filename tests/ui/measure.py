"""Measure the page: `make measure-ui`. Figures of one machine, to be compared on that one only.

The orders of the first three figures are real. Of the ten thousand, the events are real ones too,
published on the real bus and received through the page's own tap, but no service consumes them, so
that the bus is as fast as it can be.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab

from harness import environment, flow
from harness.bus import Bus
from harness.environment import Environment
from harness.orders import SCENARIOS, Orders
from plumbing.outbox import OutboxEvent
from tests.browser import CHROMIUM
from tests.ui.conftest import Page, serving
from tests.world import sample

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
HAPPY = ("OrderCreated", "InventoryReserved", "PaymentCharged", "ShippingScheduled")
STARTS, PAINTS, EVENTS, ORDERS, BATCH = 5, 10, 50, 10_000, 10


def main() -> None:
    """Measure, and print each figure as it is known."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        saga, _ = environment.up(home, None, lambda doing: None)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        try:
            starts = statistics.median(_start(home) for _ in range(STARTS))
            print(f"start to the page's first answer  {starts * 1000:.0f} ms, median of {STARTS}")
            with serving(home) as page:
                _measure(page, saga, browser)
        finally:
            browser.close()
            environment.down(home)


def _measure(page: Page, saga: Environment, browser: Browser) -> None:
    with Orders(saga.api_url) as orders:
        for order in SCENARIOS.values():
            orders.ended(orders.place(order))
    # Conditions are given to the browser as strings, which the page's policy forbids.
    tab = browser.new_page(bypass_csp=True)
    weight, requests = _weight(tab, page.url)
    print(f"page weight                       {weight / 1024:.1f} KiB in {requests} requests")
    paints = statistics.median(_first_paint(browser, page.url) for _ in range(PAINTS))
    print(f"first paint                       {paints:.0f} ms, median of {PAINTS}")
    bus = Bus(saga.endpoint)
    for service in flow.load().consumers:
        bus.set_consuming(service, on=False)
    took = sorted(_until_its_arrow(tab, bus))
    print(
        f"from an event to its arrow        {statistics.median(took):.0f} ms, "
        f"median of {EVENTS}; {took[-1]:.0f} ms at most"
    )
    before = _resident(page)
    seconds = _publish_many(page, bus)
    print(
        f"memory of the server              {_resident(page):.0f} MiB after {ORDERS} orders, "
        f"{before:.0f} MiB before; seen {ORDERS * len(HAPPY) / seconds:.0f} events a second"
    )
    heap = tab.evaluate("performance.memory.usedJSHeapSize") / 2**20
    print(f"memory of the page's own objects  {heap:.0f} MiB after {ORDERS} orders")


def _start(home: Path) -> float:
    begun = time.monotonic()
    with serving(home) as page:
        httpx.get(page.url).raise_for_status()
        return time.monotonic() - begun


def _weight(tab: Tab, url: str) -> tuple[int, int]:
    """Return the bytes over the wire of all but the stream, headers too, and of how many files."""
    tab.goto(url)
    tab.locator("#services li").first.wait_for()
    sizes = tab.evaluate(
        """performance.getEntries()
            .filter((entry) => entry.transferSize && !entry.name.endsWith("/live"))
            .map((entry) => entry.transferSize)"""
    )
    return sum(sizes), len(sizes)


def _first_paint(browser: Browser, url: str) -> float:
    with browser.new_context(bypass_csp=True) as context:
        tab = context.new_page()
        tab.goto(url)
        tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        painted: float = tab.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        return painted


def _until_its_arrow(tab: Tab, bus: Bus) -> Iterator[float]:
    """Publish events one by one, and yield after how many milliseconds each has lit its arrow."""
    tab.evaluate(
        """() => {
            window.lit = [];
            const arrow = document.querySelector('#picture [data-event="OrderCreated"]');
            new MutationObserver(() => {
                if (arrow.classList.contains("lit")) window.lit.push(Date.now());
            }).observe(arrow, { attributeFilter: ["class"] });
        }"""
    )
    for number in range(EVENTS):
        # Until the last arrow is dark again; and not in step with the looks into the tap.
        tab.wait_for_function("!document.querySelector('#picture .lit')")
        tab.wait_for_timeout(37 * number % 100)
        published_at = time.time() * 1000
        bus.publish(_event("OrderCreated", str(uuid4())))
        tab.wait_for_function(f"window.lit.length > {number}")
        yield tab.evaluate(f"window.lit[{number}]") - published_at


def _publish_many(page: Page, bus: Bus) -> float:
    """Publish the events of many orders; return the seconds until the page had seen them all."""
    begun, before = time.monotonic(), _seen(page)
    events = (
        _event(event, order_id)
        for order_id in (str(uuid4()) for _ in range(ORDERS))
        for event in HAPPY
    )
    batch: list[OutboxEvent] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            bus.publish(*batch)
            batch.clear()
    while _seen(page) < before + ORDERS * len(HAPPY):
        time.sleep(0.1)
    return time.monotonic() - begun


def _event(event: str, order_id: str) -> OutboxEvent:
    published = sample(event, orderId=order_id)
    return OutboxEvent(published["source"], event, json.dumps(published["detail"]))


def _seen(page: Page) -> int:
    with httpx.stream("GET", f"{page.url}/live", timeout=60) as stream:
        line = next(line for line in stream.iter_lines() if line.startswith("data: "))
    return sum(json.loads(line.removeprefix("data: "))["change"]["events"].values())


def _resident(page: Page) -> float:
    status = Path(f"/proc/{page.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()

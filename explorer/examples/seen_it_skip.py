"""What is explored of the handler that marks an event as seen, and then does its work."""

from collections.abc import Iterator
from pathlib import Path

from explorer.app import App, Function, Rule, Scenario, Table
from explorer.exploration import Exploration
from explorer.view import View

PAID = {"id": "1", "detail-type": "OrderPaid", "source": "shop", "detail": {"orderId": "ORDER-1"}}


def what_is_paid_is_sent(view: View) -> Iterator[str]:
    """Once all rests, each order that is paid has a shipment, or waits in a failure queue."""
    for event in view.published:
        order_id = event["detail"]["orderId"]
        if view.rests and event not in view.failed and order_id not in view.items("shipments"):
            yield f"{order_id} is paid, and is never sent"


exploration = Exploration(
    App(
        functions=[
            Function(
                "book_shipment",
                "seen_it_skip.handler",
                path=[Path(__file__).parent / "handlers"],
                environment={"SEEN_TABLE": "seen", "SHIPMENTS_TABLE": "shipments"},
            )
        ],
        tables=[Table("seen", "eventId"), Table("shipments", "orderId")],
        rules=[Rule({"detail-type": ["OrderPaid"]}, "book_shipment")],
    ),
    scenarios=[
        Scenario("delivered twice", events=[PAID], may={"duplicates": 1}),
        Scenario("one fault", events=[PAID], may={"faults": 1}),
    ],
    invariants=[what_is_paid_is_sent],
)

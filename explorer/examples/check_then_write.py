"""What is explored of the handler that looks whether something is there, and then writes it."""

from pathlib import Path

from explorer.app import App, Function, Partner, Rule, Scenario, Table
from explorer.exploration import Exploration
from explorer.flow import Flow, Saga, Transition

PLACED = {
    "id": "1",
    "detail-type": "OrderPlaced",
    "source": "shop",
    "detail": {"orderId": "ORDER-1", "amountCents": 1998},
}

exploration = Exploration(
    App(
        functions=[
            Function(
                "charge_payment",
                "check_then_write.handler",
                path=[Path(__file__).parent / "handlers"],
                environment={"PAYMENTS_TABLE": "payments"},
                partners={"charge": Partner("", answers=lambda **_: ["CH-1"])},
            )
        ],
        tables=[Table("payments", "orderId")],
        rules=[Rule({"detail-type": ["OrderPlaced"]}, "charge_payment")],
    ),
    scenarios=[
        Scenario("as planned", events=[PLACED]),
        Scenario("delivered twice", events=[PLACED], may={"duplicates": 1}),
        Scenario("one fault", events=[PLACED], may={"faults": 1}),
    ],
    saga=Saga(
        "payments",
        "orderId",
        Flow([Transition("charge_payment", None, "PAID", "OrderPaid", final=True)]),
    ),
)

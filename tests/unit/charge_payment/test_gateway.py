"""What the payment provider is declared to answer is what it answers."""

from uuid import UUID

from charge_payment.charge_payment import Charged
from charge_payment.gateway import DECLINED_CUSTOMER, PARTNER, SimulatedGateway

KEY = UUID(int=7)


def test_all_that_the_gateway_can_answer_is_declared() -> None:
    gateway = SimulatedGateway()
    customers = ("CUST-1", DECLINED_CUSTOMER)

    answers = tuple(
        gateway.charge(idempotency_key=KEY, customer_id=customer, amount_cents=5)
        for customer in customers
    )

    assert PARTNER.answers(idempotency_key=KEY, customer_id="CUST-1", amount_cents=5) == answers
    assert [PARTNER.effect(answer) for answer in answers] == [True, False]
    assert isinstance(answers[0], Charged)

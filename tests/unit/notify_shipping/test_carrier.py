"""What the carrier is declared to answer is what it answers."""

from uuid import UUID

from notify_shipping.carrier import PARTNER, SimulatedCarrier

KEY = UUID(int=7)


def test_all_that_the_carrier_can_answer_is_declared() -> None:
    asked = {"idempotency_key": KEY, "customer_id": "CUST-1", "sku": "TEA", "quantity": 1}

    number = SimulatedCarrier().book(**asked)  # type: ignore[arg-type]

    assert PARTNER.answers(**asked) == (number,)
    assert PARTNER.effect(number) is True

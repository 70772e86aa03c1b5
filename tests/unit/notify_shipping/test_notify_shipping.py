"""notify_shipping: one shipment per paid order."""

from datetime import timedelta
from types import ModuleType
from uuid import UUID

import pytest

from notify_shipping.carrier import SimulatedCarrier
from plumbing.outbox import EventMismatchError
from plumbing.publish import PublishError
from tests.world import ORDER_ID, World, published, sample


class LedgerCarrier(SimulatedCarrier):
    """A carrier that writes down every booking it is asked for."""

    def __init__(self) -> None:
        self.bookings: list[tuple[UUID, str, str, int]] = []
        self.earlier: str | None = None

    def book(self, *, idempotency_key: UUID, customer_id: str, sku: str, quantity: int) -> str:
        self.bookings.append((idempotency_key, customer_id, sku, quantity))
        return super().book(
            idempotency_key=idempotency_key, customer_id=customer_id, sku=sku, quantity=quantity
        )

    def find(self, *, idempotency_key: UUID) -> str | None:
        assert idempotency_key == UUID(ORDER_ID)
        return self.earlier


@pytest.fixture
def carrier() -> LedgerCarrier:
    return LedgerCarrier()


@pytest.fixture
def service(world: World, carrier: LedgerCarrier) -> ModuleType:
    module = world.handler("notify_shipping")
    module.carrier = carrier  # type: ignore[attr-defined]
    return module


def test_a_paid_order_is_booked_and_that_is_published(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")

    service.handle(sample("PaymentCharged"), None)

    assert carrier.bookings == [(UUID(ORDER_ID), "CUST-1", "COFFEE", 2)]
    assert world.published == [published("ShippingScheduled")]
    assert world.order()["trackingNumber"] == world.published[0]["detail"]["trackingNumber"]
    assert world.statuses() == ["PAYMENT_CHARGED", "SHIPPING_SCHEDULED"]


def test_a_duplicate_delivery_publishes_the_same_bytes_and_books_nothing(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")
    service.handle(sample("PaymentCharged"), None)

    service.handle(sample("PaymentCharged"), None)

    first, second = world.events.published
    assert first == second
    assert len(carrier.bookings) == 1


def test_a_refused_event_is_published_by_the_next_delivery(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.events.refusals = 1

    with pytest.raises(PublishError, match="InternalFailure"):
        service.handle(sample("PaymentCharged"), None)
    service.handle(sample("PaymentCharged"), None)

    assert world.published == [published("ShippingScheduled")]
    assert len(carrier.bookings) == 1


@pytest.mark.parametrize("status", ["CREATED", "PAYMENT_FAILED", "INVENTORY_RELEASED"])
def test_an_order_that_is_not_paid_ships_nothing(
    world: World, service: ModuleType, carrier: LedgerCarrier, status: str
) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.dynamodb.tables["orders"][ORDER_ID]["status"] = {"S": status}
    before = world.snapshot()

    service.handle(sample("PaymentCharged"), None)

    assert carrier.bookings == []
    assert world.published == []
    assert world.snapshot() == before


def test_an_event_that_is_not_the_published_one_ships_nothing(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")

    with pytest.raises(EventMismatchError, match="differs from what is stored in customerId"):
        service.handle(sample("PaymentCharged", customerId="THIEF"), None)

    assert carrier.bookings == []
    assert world.published == []


def test_a_late_try_keeps_to_an_earlier_booking_and_books_nothing(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.now += timedelta(days=2)
    carrier.earlier = "TRK-EARLIER"

    service.handle(sample("PaymentCharged"), None)

    assert carrier.bookings == []
    assert world.order()["trackingNumber"] == "TRK-EARLIER"


def test_a_late_try_books_where_no_earlier_one_did(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.now += timedelta(days=2)

    service.handle(sample("PaymentCharged"), None)

    assert carrier.bookings == [(UUID(ORDER_ID), "CUST-1", "COFFEE", 2)]


def test_within_the_time_of_a_key_the_carrier_is_not_asked_first(
    world: World, service: ModuleType, carrier: LedgerCarrier
) -> None:
    world.store_order("PAYMENT_CHARGED")
    world.now += timedelta(hours=23)
    carrier.earlier = "TRK-OF-ANOTHER"

    service.handle(sample("PaymentCharged"), None)

    assert carrier.bookings == [(UUID(ORDER_ID), "CUST-1", "COFFEE", 2)]
    assert world.published == [published("ShippingScheduled")]


def test_the_simulated_carrier_remembers_a_key_for_less_than_a_day() -> None:
    carrier = SimulatedCarrier()

    assert carrier.remembers_keys_for == timedelta(hours=23)
    assert carrier.find(idempotency_key=UUID(ORDER_ID)) is None

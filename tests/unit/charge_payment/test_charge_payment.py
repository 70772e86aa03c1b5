"""charge_payment: money moves once, and a recorded result never changes."""

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from uuid import UUID, uuid5

import pytest

from charge_payment.charge_payment import Charged, Declined
from plumbing.outbox import EventMismatchError
from plumbing.publish import PublishError
from tests.world import ORDER_ID, World, published, sample

PAYMENT_ID = uuid5(UUID(ORDER_ID), "payment")


class LedgerGateway:
    """A gateway that records every charge, and returns the result it is given."""

    remembers_keys_for = timedelta(hours=23)

    def __init__(self) -> None:
        self.charges: list[tuple[UUID, str, int]] = []
        self.answer: Charged | Declined = Charged(PAYMENT_ID)
        self.earlier: Charged | None = None
        self.meanwhile: Callable[[], None] = lambda: None

    def charge(
        self, *, idempotency_key: UUID, customer_id: str, amount_cents: int
    ) -> Charged | Declined:
        self.charges.append((idempotency_key, customer_id, amount_cents))
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.answer

    def find(self, *, idempotency_key: UUID) -> Charged | None:
        assert idempotency_key == UUID(ORDER_ID)
        return self.earlier


@pytest.fixture
def gateway() -> LedgerGateway:
    return LedgerGateway()


@pytest.fixture
def service(world: World, gateway: LedgerGateway) -> ModuleType:
    module = world.handler("charge_payment")
    module.gateway = gateway  # type: ignore[attr-defined]
    return module


def test_a_reserved_order_is_charged_and_that_is_published(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")

    service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == [(UUID(ORDER_ID), "CUST-1", 1998)]
    assert world.published == [published("PaymentCharged")]
    assert world.order()["paymentId"] == str(PAYMENT_ID)
    assert world.statuses() == ["INVENTORY_RESERVED", "PAYMENT_CHARGED"]


def test_a_declined_charge_is_published_with_its_reason(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED", customerId="CUST-DECLINE")
    gateway.answer = Declined("card declined")

    service.handle(sample("InventoryReserved", customerId="CUST-DECLINE"), None)

    assert world.published == [published("PaymentFailed")]
    assert world.order()["failureReason"] == "card declined"
    assert world.statuses() == ["INVENTORY_RESERVED", "PAYMENT_FAILED"]


def test_a_duplicate_delivery_publishes_the_same_bytes_and_charges_nothing(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    service.handle(sample("InventoryReserved"), None)

    service.handle(sample("InventoryReserved"), None)

    first, second = world.events.published
    assert first == second
    assert len(gateway.charges) == 1


def test_two_deliveries_at_once_charge_under_one_key_and_publish_the_same(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    gateway.meanwhile = lambda: service.handle(sample("InventoryReserved"), None)

    service.handle(sample("InventoryReserved"), None)

    first, second = world.events.published
    assert first == second
    assert {key for key, _, _ in gateway.charges} == {UUID(ORDER_ID)}
    assert world.statuses() == ["INVENTORY_RESERVED", "PAYMENT_CHARGED"]


def test_a_recorded_decline_stays_although_the_gateway_changes_its_mind(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    gateway.answer = Declined("card declined")
    service.handle(sample("InventoryReserved"), None)

    gateway.answer = Charged(PAYMENT_ID)
    service.handle(sample("InventoryReserved"), None)

    assert [event["detail-type"] for event in world.published] == ["PaymentFailed", "PaymentFailed"]
    assert len(gateway.charges) == 1


def test_a_refused_event_is_published_by_the_next_delivery(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    world.events.refusals = 1

    with pytest.raises(PublishError, match=r"PaymentCharged: InternalFailure \(try again\)"):
        service.handle(sample("InventoryReserved"), None)
    assert world.published == []
    service.handle(sample("InventoryReserved"), None)

    assert world.published == [published("PaymentCharged")]
    assert len(gateway.charges) == 1


@pytest.mark.parametrize(
    "status", ["CREATED", "INVENTORY_FAILED", "SHIPPING_SCHEDULED", "INVENTORY_RELEASED"]
)
def test_an_order_with_another_status_is_not_changed(
    world: World, service: ModuleType, gateway: LedgerGateway, status: str
) -> None:
    world.store_order("INVENTORY_RESERVED")
    world.dynamodb.tables["orders"][ORDER_ID]["status"] = {"S": status}
    before = world.snapshot()

    service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == []
    assert world.published == []
    assert world.snapshot() == before


def test_an_event_that_is_not_the_published_one_charges_nothing(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")

    with pytest.raises(EventMismatchError, match="differs from what is stored in amountCents"):
        service.handle(sample("InventoryReserved", amountCents=1), None)

    assert gateway.charges == []
    assert world.published == []


def test_an_event_of_an_order_that_is_not_stored_charges_nothing(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    with pytest.raises(EventMismatchError, match="not stored"):
        service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == []


def test_the_simulated_gateway_declines_one_customer_and_returns_the_same_for_a_key() -> None:
    from charge_payment.gateway import SimulatedGateway

    gateway = SimulatedGateway()
    key = UUID(ORDER_ID)

    charged = gateway.charge(idempotency_key=key, customer_id="CUST-1", amount_cents=5)
    again = SimulatedGateway().charge(idempotency_key=key, customer_id="CUST-1", amount_cents=5)
    declined = gateway.charge(idempotency_key=key, customer_id="CUST-DECLINE", amount_cents=5)

    assert charged == again == Charged(PAYMENT_ID)
    assert declined == Declined("card declined")
    assert gateway.find(idempotency_key=key) is None
    assert gateway.remembers_keys_for == timedelta(hours=23)


@pytest.mark.parametrize("hours", [23, 24 * 14])
def test_a_late_try_keeps_to_an_earlier_charge_and_charges_nothing(
    world: World, service: ModuleType, gateway: LedgerGateway, hours: int
) -> None:
    world.store_order("INVENTORY_RESERVED")
    world.now += timedelta(hours=hours, milliseconds=1)
    gateway.earlier = Charged(PAYMENT_ID)

    service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == []
    assert world.published == [published("PaymentCharged")]


def test_a_late_try_charges_where_no_earlier_one_did(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    world.now += timedelta(days=2)

    service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == [(UUID(ORDER_ID), "CUST-1", 1998)]
    assert world.published == [published("PaymentCharged")]


def test_a_late_try_leaves_the_order_to_a_person_where_the_provider_cannot_tell(
    world: World, service: ModuleType, gateway: LedgerGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot_tell(*, idempotency_key: UUID) -> Charged | None:
        raise LookupError(f"look for order {idempotency_key} at the provider")

    world.store_order("INVENTORY_RESERVED")
    world.now += timedelta(days=2)
    monkeypatch.setattr(gateway, "find", cannot_tell)

    with pytest.raises(LookupError, match=ORDER_ID):
        service.handle(sample("InventoryReserved"), None)

    assert (gateway.charges, world.published) == ([], [])


def test_within_the_time_of_a_key_the_provider_is_not_asked_first(
    world: World, service: ModuleType, gateway: LedgerGateway
) -> None:
    world.store_order("INVENTORY_RESERVED")
    world.now += timedelta(hours=23)
    gateway.earlier = Charged(UUID(int=0))

    service.handle(sample("InventoryReserved"), None)

    assert gateway.charges == [(UUID(ORDER_ID), "CUST-1", 1998)]
    assert world.order()["paymentId"] == str(PAYMENT_ID)

"""Every event is compared with the stored order as a whole."""

from collections.abc import Iterator

import msgspec
import pytest

from contracts import CONTRACTS
from plumbing.outbox import EventMismatchError
from tests.world import World, sample

FORGED = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-01",
    "createdAt": "2026-01-01T00:00:00.000Z",
    "customerId": "CUST-FORGED",
    "sku": "ELSEWHERE",
    "quantity": 1,
    "amountCents": 1,
    "reservationId": "00000000-0000-4000-8000-000000000001",
    "paymentId": "00000000-0000-4000-8000-000000000002",
    "reason": "just because",
}


def _consumed_fields() -> Iterator[tuple[str, str, str]]:
    for contract in CONTRACTS:
        for service, event in contract.consumers.items():
            for field in msgspec.structs.fields(event):
                if field.encode_name not in ("orderId", "carried"):
                    yield service, contract.detail_type, field.encode_name


@pytest.mark.parametrize(("service", "detail_type", "field"), list(_consumed_fields()))
def test_an_event_with_one_forged_field_is_an_error_that_names_it(
    world: World, service: str, detail_type: str, field: str
) -> None:
    contract = next(one for one in CONTRACTS if one.detail_type == detail_type)
    world.store_order(contract.published.status)  # type: ignore[attr-defined]
    world.stock("COFFEE", 5)
    world.stock("ELSEWHERE", 5)
    before = world.snapshot()

    with pytest.raises(EventMismatchError, match=f"differs from what is stored in {field}$"):
        world.handler(service).handle(
            sample(detail_type, **{field: FORGED.get(field, "forged")}), None
        )

    assert world.snapshot() == before
    assert world.published == []


@pytest.mark.parametrize("forged", ["a gift", None])
@pytest.mark.parametrize(
    ("service", "detail_type"),
    [(name, one.detail_type) for one in CONTRACTS for name in one.consumers],
)
def test_a_forged_field_that_no_service_declares_is_an_error_that_names_it(
    world: World, service: str, detail_type: str, forged: str | None
) -> None:
    contract = next(one for one in CONTRACTS if one.detail_type == detail_type)
    world.store_order(contract.published.status)  # type: ignore[attr-defined]
    world.stock("COFFEE", 5)
    before = world.snapshot()

    with pytest.raises(EventMismatchError, match=r"differs from what is stored in ribbonColour$"):
        world.handler(service).handle(sample(detail_type, ribbonColour=forged), None)

    assert world.snapshot() == before

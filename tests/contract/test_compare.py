"""What `saga contracts` finds between two releases."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts import CONTRACTS, FOLDER
from contracts.compare import Difference, accepts, compare
from contracts.former import form, former_samples, is_kept, keep_former
from contracts.generate import STATUSES
from contracts.surface import SurfaceError, surface
from explorer.deployments import SAFE
from harness.saga import SERVICES
from plumbing.envelope import decode
from tests.changes import BY_NAME, Change, Patch


def _found(change: Change, folder: Path) -> list[Difference]:
    old, new = change.trees(folder)
    return compare(surface(old), surface(new))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "a consumer declares a field with a default",
            ["InventoryReserved  charge_payment: ribbonColour is added, with a default"],
        ),
        (
            "a producer adds a field, its consumer requires it",
            [
                "InventoryReserved  reserve_inventory: warehouse is added, required",
                "InventoryReserved  charge_payment: warehouse is added, required. "
                "BREAKS: what is in flight lacks it: give it a default",
            ],
        ),
        (
            "a field from the API to shipping",
            [
                "OrderCreated  create_order: ribbonColour is added, with a default",
                "POST /orders  create_order: ribbonColour is added, with a default",
                "PaymentCharged  notify_shipping: ribbonColour is added, with a default",
            ],
        ),
        (
            "a field is removed on both sides",
            [
                "PaymentFailed  charge_payment: reason is removed. Deploy release_inventory first",
                "PaymentFailed  charge_payment: code is added, with a default",
                "PaymentFailed  release_inventory: reason is removed",
            ],
        ),
        (
            "a producer publishes null, its consumer has a default that is text",
            [
                "InventoryReserved  reserve_inventory: ribbonColour is added, required. "
                "BREAKS: charge_payment cannot read it",
                "InventoryReserved  charge_payment: ribbonColour is added, with a default",
            ],
        ),
        (
            "a consumer accepts less",
            [
                "InventoryReserved  charge_payment: quantity is narrowed. "
                "BREAKS: what is in flight may have other values",
            ],
        ),
        (
            "a field becomes of another type that its consumer accepts too",
            [
                "PaymentCharged  charge_payment: paymentId is widened. "
                "Deploy notify_shipping first",
                "PaymentCharged  notify_shipping: paymentId is widened",
            ],
        ),
        (
            "a producer publishes less: the API takes smaller orders",
            [
                "POST /orders  create_order: quantity is narrowed. "
                "BREAKS: what clients send may have other values",
            ],
        ),
        (
            "a status in the middle is renamed",
            [
                "status  reserve_inventory: INVENTORY_RESERVED is gone. "
                "BREAKS: stored orders have it, and no service takes them on",
                "status  reserve_inventory: STOCK_HELD is added: `saga explore --from` has to pass",
            ],
        ),
        (
            "an event is renamed",
            [
                "PaymentCharged  charge_payment: the event is removed. "
                "BREAKS: events in flight have no consumer; notify_shipping consumed it",
                "PaymentTaken  charge_payment: the event is added",
            ],
        ),
    ],
)
def test_a_change_is_named_with_what_it_breaks(tmp_path: Path, name: str, lines: list[str]) -> None:
    found = _found(BY_NAME[name], tmp_path)

    assert sorted(f"{one.event}  {one}" for one in found) == sorted(lines)


def test_a_required_field_that_every_producer_before_carries_breaks_nothing(
    tmp_path: Path,
) -> None:
    required = Change(
        "shipping requires what the order always had",
        [],
        SAFE,
        before=[
            Patch(
                "services/notify_shipping/events.py",
                "    amount_cents: Annotated[int, Meta(ge=0)]\n",
                "",
            )
        ],
    )

    [found] = _found(required, tmp_path)

    assert str(found) == "notify_shipping: amountCents is added, required"


def test_a_field_removed_early_hurts_every_consumer_after_it(tmp_path: Path) -> None:
    events = "services/{}/events.py"
    removed = Change(
        "no sku",
        [
            Patch(events.format(service), "    sku: str\n", "")
            for service in ("create_order", "reserve_inventory")
        ],
        SAFE,
    )

    found = {str(one) for one in _found(removed, tmp_path)}

    assert (
        "create_order: sku is removed. "
        "BREAKS: charge_payment, notify_shipping, release_inventory cannot read it"
    ) in found


def test_a_field_that_another_service_adds_is_lacking_where_both_releases_mix(
    tmp_path: Path,
) -> None:
    moved = Change(
        "the reservation's id is made at the door",
        [
            Patch(
                "services/create_order/events.py",
                "    sku: str\n",
                "    sku: str\n    reservation_id: UUID\n",
            ),
            Patch(
                "services/reserve_inventory/events.py",
                "    sku: str\n",
                "    sku: str\n    reservation_id: UUID\n",
            ),
            Patch(
                "services/reserve_inventory/events.py",
                '    status: ClassVar[str] = "INVENTORY_RESERVED"\n\n    reservation_id: UUID\n',
                '    status: ClassVar[str] = "INVENTORY_RESERVED"\n',
            ),
        ],
        SAFE,
    )

    found = {f"{one.event}  {one}" for one in _found(moved, tmp_path)}

    assert (
        "InventoryReserved  charge_payment: reservationId is added by another service. "
        "BREAKS: an event of the old release lacks it after the new reserve_inventory"
    ) in found


def test_nothing_changed_is_no_difference(tmp_path: Path) -> None:
    assert _found(Change("nothing", [], SAFE), tmp_path) == []


def test_a_tree_whose_events_cannot_be_imported_is_an_error_with_the_reason(
    tmp_path: Path,
) -> None:
    broken = Patch("services/charge_payment/events.py", "import Annotated", "import Anotated")
    _, new = Change("broken", [broken], SAFE).trees(tmp_path)

    with pytest.raises(SurfaceError, match=r"ImportError.*Anotated"):
        surface(new)


@pytest.mark.parametrize(
    ("consumer", "producer", "accepted"),
    [
        ({"type": "string"}, {"type": "string"}, True),
        ({"type": "string"}, {"type": "string", "format": "uuid"}, True),
        ({"type": "string", "format": "uuid"}, {"type": "string"}, False),
        ({"type": "number"}, {"type": "integer"}, True),
        ({"type": "integer"}, {"type": "number"}, False),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 2}, True),
        ({"type": "integer", "minimum": 1}, {"type": "integer"}, False),
        ({"type": "integer", "maximum": 1}, {"type": "integer", "maximum": 2}, False),
        ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}, True),
        ({"type": "string", "minLength": 1}, {"type": "string"}, False),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, True),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, False),
        ({"enum": ["a"]}, {"type": "string"}, False),
        ({"type": "string"}, {"enum": ["a"]}, True),
        ({"type": "string"}, {"enum": ["a", 1]}, False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "null"}, True),
        ({"type": "string"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, False),
        ({"type": "array", "items": {"type": "string"}}, {"type": "array"}, False),
        ({}, {"type": "string"}, True),
    ],
)
def test_a_schema_accepts_another_only_if_it_allows_all_of_its_values(
    consumer: dict[str, Any], producer: dict[str, Any], accepted: bool
) -> None:
    assert accepts(consumer, producer) == accepted


def test_every_status_is_locked_and_none_has_vanished() -> None:
    locked = json.loads(STATUSES.read_text())

    declared = surface(FOLDER.parent).statuses

    assert set(declared) - set(locked) == set(), "run `make contracts`"
    assert set(locked) - set(declared) == set(), "orders may have it: see docs/evolution.md"
    assert set(locked.values()) <= set(SERVICES)


def test_every_consumer_reads_the_samples_of_all_releases() -> None:
    samples = [*former_samples(FOLDER), *(contract.sample for contract in CONTRACTS)]

    read = {path: _read_by_all(path) for path in samples}

    assert sum(read.values()) >= sum(len(contract.consumers) for contract in CONTRACTS)


def test_a_former_sample_without_a_field_that_a_consumer_requires_is_found(tmp_path: Path) -> None:
    sample = json.loads((FOLDER / "events/PaymentCharged.sample.json").read_text())
    del sample["detail"]["paymentId"]
    (tmp_path / "former/2026-01-31").mkdir(parents=True)
    (tmp_path / "former/2026-01-31/PaymentCharged.sample.json").write_text(json.dumps(sample))
    [path] = former_samples(tmp_path)

    with pytest.raises(ValueError, match="paymentId"):
        _read_by_all(path)


def test_the_former_sample_is_kept_once_when_the_form_changes_and_only_then(
    tmp_path: Path,
) -> None:
    sample = {"detail-type": "Packed", "detail": {"parcelId": "P-1"}}
    path = tmp_path / "contracts/events/Packed.sample.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(sample))
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    _commit(tmp_path, "first")
    folder = tmp_path / "contracts"

    same = {"detail-type": "Packed", "detail": {"parcelId": "P-2"}}
    path.write_text(json.dumps(same))
    unchanged = list(keep_former(folder))
    changed = {"detail-type": "Packed", "detail": {"parcelId": "P-1", "grams": 5}}
    path.write_text(json.dumps(changed))
    kept = list(keep_former(folder))
    again = list(keep_former(folder))

    assert unchanged == again == []
    _commit(tmp_path, "second")
    path.write_text(json.dumps({"detail-type": "Packed", "detail": {"grams": 5}}))
    kept += keep_former(folder)
    one, other = kept
    assert json.loads(one.read_text()) == sample
    assert json.loads(other.read_text()) == changed
    assert sorted(former_samples(folder)) == sorted(kept)
    assert one.parent.parent == folder / "former"
    assert is_kept(folder, "Packed", sample)
    assert not is_kept(folder, "Packed", {"detail": {"grams": "5"}})
    assert form(changed) == {"parcelId": "str", "grams": "int"}


def test_without_git_nothing_is_kept(tmp_path: Path) -> None:
    assert list(keep_former(tmp_path)) == []


def _commit(folder: Path, message: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-qm", message], cwd=folder, check=True)


def _read_by_all(path: Path) -> int:
    """Let each consumer of a sample decode it; return how many there are."""
    sample = json.loads(path.read_text())
    consumers = [
        struct
        for contract in CONTRACTS
        if contract.detail_type == sample["detail-type"]
        for struct in contract.consumers.values()
    ]
    return len([decode(sample, struct) for struct in consumers])

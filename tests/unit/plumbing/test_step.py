"""A step: made only on the status and the event that are expected, and never refused silently."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import to_builtins

from explorer.memory import MemoryDynamoDB
from plumbing.conditional_write import Update, put_new, read
from plumbing.event import digest_of
from plumbing.outbox import EventMismatchError, OutboxEvent
from plumbing.step import OthersRefused, SagaState, Transition, record, utc_now

CONSUMED = {"parcelId": "P-1", "grams": 5}
PACKED = OutboxEvent("parcels", "Packed", json.dumps(CONSUMED), digest_of(CONSUMED))
SHIPPED = OutboxEvent("parcels", "Shipped", "{}", digest_of({}))
FORMER = OutboxEvent(PACKED.source, PACKED.detail_type, PACKED.detail)
AT = datetime(2026, 1, 31, 9, tzinfo=UTC)
PACKED_AT = datetime(2026, 1, 31, 8, tzinfo=UTC)
FIRST = {"status": "PACKED", "at": "2026-01-31T08:00:00.000Z"}
SHELF = Update(
    table="shelves",
    key={"shelf": "A"},
    change="SET #full = :full",
    condition="attribute_exists(#full)",
    names={"#full": "full"},
    values={":full": True},
)


@pytest.fixture
def client() -> Any:
    return MemoryDynamoDB({"parcels": "parcelId", "shelves": "shelf"})


def _store(client: Any, outbox: OutboxEvent = PACKED, status: str = "PACKED") -> None:
    item = {"parcelId": "P-1", "status": status, "outbox": to_builtins(outbox), "history": [FIRST]}
    put_new(client, "parcels", "parcelId", item)


def _ship(client: Any, *others: Update, consumed: Any = CONSUMED, final: bool = False) -> SagaState:
    transition = Transition(
        table="parcels",
        key={"parcelId": "P-1"},
        expected="PACKED",
        consumed=consumed,
        status="SHIPPED",
        at=AT,
        adds={"van": "V-1"},
        final=final,
    )
    return record(client, transition, SHIPPED, *others)


@pytest.mark.parametrize("outbox", [PACKED, FORMER], ids=["digest", "no digest"])
@pytest.mark.parametrize("together", [False, True])
def test_a_step_is_made_on_the_event_that_is_stored(
    client: Any, outbox: OutboxEvent, together: bool
) -> None:
    _store(client, outbox)
    put_new(client, "shelves", "shelf", {"shelf": "A", "full": False})

    state = _ship(client, *([SHELF] if together else []))

    assert state == SagaState("SHIPPED", SHIPPED, AT, applied=True)
    assert read(client, "parcels", {"parcelId": "P-1"}) == {
        "parcelId": "P-1",
        "status": "SHIPPED",
        "van": "V-1",
        "openShard": "P",
        "outbox": to_builtins(SHIPPED),
        "history": [FIRST, {"status": "SHIPPED", "at": "2026-01-31T09:00:00.000Z"}],
    }
    assert read(client, "shelves", {"shelf": "A"}) == {"shelf": "A", "full": together}


def test_the_last_event_of_a_saga_is_stored_without_a_digest(client: Any) -> None:
    _store(client)

    _ship(client, final=True)

    item = read(client, "parcels", {"parcelId": "P-1"})
    assert item is not None
    assert "digest" not in item["outbox"]


def test_a_step_clears_what_the_sweep_noted_of_the_last_one_and_reopens_what_it_gave_up(
    client: Any,
) -> None:
    _store(client)
    client.tables["parcels"]["P-1"] |= {
        "openShard": {"S": "given-up"},
        "nextAttemptAt": {"S": "2026-01-31T18:00:00.000Z"},
        "resumes": {"N": "8"},
    }

    _ship(client)

    item = read(client, "parcels", {"parcelId": "P-1"})
    assert item is not None
    assert item["openShard"] == "P"
    assert not {"nextAttemptAt", "resumes"} & item.keys()


def test_a_saga_that_has_moved_on_is_left_as_it_is(client: Any) -> None:
    _store(client, SHIPPED, status="SHIPPED")

    state = _ship(client)

    assert state == SagaState("SHIPPED", SHIPPED, PACKED_AT, applied=False)


@pytest.mark.parametrize("outbox", [PACKED, FORMER], ids=["digest", "no digest"])
@pytest.mark.parametrize(
    ("consumed", "named"),
    [({**CONSUMED, "grams": 6}, "grams"), ({**CONSUMED, "note": None}, "note")],
)
def test_an_event_that_is_not_the_stored_one_is_an_error_that_names_the_fields(
    client: Any, outbox: OutboxEvent, consumed: Any, named: str
) -> None:
    _store(client, outbox)

    with pytest.raises(EventMismatchError, match=f"differs from what is stored in {named}$"):
        _ship(client, consumed=consumed)


def test_a_saga_that_is_not_stored_is_an_error(client: Any) -> None:
    with pytest.raises(EventMismatchError, match="not stored"):
        _ship(client)


def test_another_update_that_is_refused_is_an_error_of_its_own(client: Any) -> None:
    _store(client)

    with pytest.raises(OthersRefused):
        _ship(client, SHELF)


@pytest.mark.parametrize("outbox", [PACKED, FORMER], ids=["digest", "no digest"])
def test_a_refusal_in_which_nothing_differs_is_an_error(client: Any, outbox: OutboxEvent) -> None:
    class Refusing(MemoryDynamoDB):
        def call(self, operation: str, parameters: Any) -> Any:
            if operation == "UpdateItem":
                parameters["ConditionExpression"] += " AND attribute_not_exists(#status)"
            return super().call(operation, parameters)

    refusing: Any = Refusing({"parcels": "parcelId"})
    _store(refusing, outbox)

    with pytest.raises(EventMismatchError, match="nothing differs"):
        _ship(refusing)

    # By its digest an event is the stored one or not; without one its text is compared as well.
    assert refusing.calls.count("UpdateItem") == (1 if outbox.digest else 2)


def test_the_last_step_takes_the_item_out_of_the_index_and_does_nothing_else_to_it(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(client)
    asked: list[Any] = []
    update = client.update_item
    monkeypatch.setattr(client, "update_item", lambda **a: (asked.append(a), update(**a))[1])  # type: ignore[func-returns-value]

    _ship(client, final=True)

    # DynamoDB refuses an update that has one path twice.
    sets, _, removes = asked[0]["UpdateExpression"].partition(" REMOVE ")
    assert "#openShard" not in sets
    assert "#openShard" in removes.split(", ")


def test_a_saga_has_its_status_since_the_last_entry_of_its_history() -> None:
    entries = [FIRST, {"status": "SHIPPED", "at": "2026-01-31T09:00:00.000Z"}]
    item = {"status": "SHIPPED", "outbox": to_builtins(SHIPPED), "history": entries}

    state = SagaState.stored(item)

    assert state == SagaState("SHIPPED", SHIPPED, since=AT, applied=False)
    assert not SagaState("SHIPPED", SHIPPED, since=AT).applied


def test_times_are_in_utc() -> None:
    now = utc_now()

    assert now.tzinfo is UTC

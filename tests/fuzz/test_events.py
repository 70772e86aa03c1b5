"""What the bus delivers: an event that a service does not consume is an EnvelopeError."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbing.envelope import EnvelopeError
from plumbing.outbox import EventMismatchError
from tests.fuzz.texts import json_texts, texts, values
from tests.world import CONSUMERS, SAMPLES, World, sample

DELIVERIES = [(kind, service) for kind, services in CONSUMERS.items() for service in services]
# What each service raises for an event that it cannot process.
POISON = (EnvelopeError, EventMismatchError)


@pytest.fixture
def handlers(world: World) -> dict[str, ModuleType]:
    return {service: world.handler(service) for _, service in DELIVERIES}


@given(
    which=st.sampled_from(DELIVERIES),
    envelope=st.dictionaries(st.sampled_from(["detail-type", "detail", "source"]), values),
    changes=st.dictionaries(
        st.one_of(st.sampled_from(sorted(SAMPLES["PaymentCharged"]["detail"])), texts), values
    ),
)
def test_an_event_is_poison_or_is_processed(
    world: World,
    handlers: dict[str, ModuleType],
    which: tuple[str, str],
    envelope: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    kind, service = which
    _clear(world)

    error = _deliver(handlers[service], {**sample(kind, **changes), **envelope})

    # No order is stored: an event that can be read refers to nothing.
    assert isinstance(error, POISON)
    str(error).encode()  # the runtime client reports it as UTF-8
    assert (world.published, world.dynamodb.tables["orders"]) == ([], {})


@given(which=st.sampled_from(DELIVERIES), text=json_texts(SAMPLES["PaymentCharged"]))
def test_what_is_no_event_is_poison(
    world: World, handlers: dict[str, ModuleType], which: tuple[str, str], text: str
) -> None:
    _clear(world)
    try:
        delivered = json.loads(text)
    except (ValueError, RecursionError):
        return  # the runtime client reports it by itself: Runtime.UnmarshalError

    error = _deliver(handlers[which[1]], delivered)

    assert isinstance(error, POISON)
    str(error).encode()


def _deliver(handler: ModuleType, delivered: Any) -> Exception | None:
    try:
        handler.handle(delivered, None)
    except Exception as error:  # any other is the finding
        return error
    return None


def _clear(world: World) -> None:
    world.events.published.clear()
    for table in world.dynamodb.tables.values():
        table.clear()

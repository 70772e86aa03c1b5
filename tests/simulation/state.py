"""What a state of the machine is made of: plain values, so that equal states are equal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from create_order.api import ORDERS
from tests.simulation.partners import Books

TRIES = 3  # Lambda's own, of an event
WAIT = 5  # minutes, after which a stalled order is due
MORNING = datetime(2026, 1, 31, 9, tzinfo=UTC)


class Order(NamedTuple):
    """What a customer posts, with a key of theirs; posted again by them if it fails.

    Without a key they do what the response says.
    """

    customer: str
    sku: str
    quantity: int = 1
    amount: int = 500
    has_key: bool = True

    @property
    def id(self) -> str:
        """Return the id that the order will have."""
        return self.ids[0]

    @property
    def ids(self) -> list[str]:
        """Return the ids that it may have: without a key, one for each time that it is posted."""
        if self.has_key:
            return [str(uuid5(ORDERS, self.customer))]
        return [str(minted(f"{self.customer} {number}")) for number in range(TRIES)]


def minted(request_id: str) -> UUID:
    """Return the id that an order without a key gets, by that of the request."""
    return uuid5(ORDERS, f"request {request_id}")


class Budget(NamedTuple):
    """How much may still go wrong or come unasked."""

    faults: int = 0  # of calls: see FAULTS
    losses: int = 0  # of events that the bus accepted
    duplicates: int = 0  # of any event that was ever published
    forgeries: int = 0
    sweeps: int = 0  # by a person, of all open orders
    ticks: int = 0  # of the sweep's schedule
    waits: int = 0  # of five minutes each
    lags: int = 0  # of the index of open orders, each for as long as it likes
    days: int = 0  # that pass, after which partners have forgotten their idempotency keys
    rollbacks: int = 0  # of services that were deployed
    at_once: int = 2  # handlers that run at the same time


class Delivery(NamedTuple):
    """An event, a request or a tick for a service, to be tried so many times."""

    service: str
    event: int
    tries: int


class Running(NamedTuple):
    """A handler half-way: its delivery, the answers that it got, the call that it makes.

    It stays of the release that it began with, whatever is deployed meanwhile.
    """

    delivery: Delivery
    answers: tuple[int, ...]
    call: int
    release: int = 0


class State(NamedTuple):
    """Everything, at one point in time; each part is sorted, so that equal states are equal."""

    items: tuple[tuple[str, str, int], ...]
    queue: tuple[Delivery, ...]
    running: tuple[Running, ...]
    failed: tuple[Delivery, ...]
    books: Books
    published: tuple[int, ...]
    accepted: tuple[int, ...]
    budget: Budget
    # Of each changed service: 0 as it was, 1 deployed, 2 rolled back. Empty where nothing changes.
    rollout: tuple[int, ...] = ()
    minutes: int = 0  # that have passed
    # The items that the index of open orders has, if it lags behind.
    lagging: tuple[tuple[str, str, int], ...] | None = None
    # What create_order told of orders, by their ids: a customer "failed", or "unknown" of one that
    # is stored; its log "unpublished".
    told: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> timedelta:
        """The time that has passed."""
        return timedelta(minutes=self.minutes)


class Move(NamedTuple):
    """Something that can happen: what, to which part of the state, and how."""

    what: str
    which: Any = None
    how: str = ""


class Table:
    """Values under small numbers, the same value always under the same."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[str, int] = {}

    def number(self, value: Any, key: str | None = None) -> int:
        """Return the number of a value; `key` is what makes it what it is (default: its JSON)."""
        key = json.dumps(value, sort_keys=True, default=str) if key is None else key
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]

    def __getitem__(self, number: int) -> Any:
        return self.values[number]

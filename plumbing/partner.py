"""What a service declares of a partner, so that it can be tried with all that this may answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct


class Partner(Struct, frozen=True, kw_only=True):
    """A payment provider, a carrier: what does something outside AWS, under an idempotency key.

    act: the method that does it.
    answers: given the arguments of `act` by their names, everything that it may return. It is
        called with those of `find` too, so it needs the key alone.
    effect: whether what it returned means that something was done.
    find: the method that looks up what was done under a key.
    """

    act: str
    answers: Callable[..., Sequence[Any]]
    effect: Callable[[Any], bool] = lambda _: True
    find: str | None = None

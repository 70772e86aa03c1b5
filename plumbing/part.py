"""What a service declares of its part in a saga, so that the whole can be drawn and checked."""

from __future__ import annotations

from msgspec import Struct


class Part(Struct, frozen=True, kw_only=True):
    """The event that a service hears, those that it says, and what becomes of the saga by it.

    A service that hears None is called otherwise, over HTTP or by a schedule. Of what it says,
    `failures` tell of a refusal, and after the `pivot` a saga only goes forward. In the statuses
    that it `ends`, a saga is over. What the status that it `compensates` stands for, it undoes. A
    service that `repeats` is no step of the saga: it says again whatever another has said.
    """

    hears: type[Struct] | None
    says: tuple[type[Struct], ...] = ()
    failures: tuple[type[Struct], ...] = ()
    pivot: type[Struct] | None = None
    ends: tuple[str, ...] = ()
    compensates: str | None = None
    repeats: bool = False

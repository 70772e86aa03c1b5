"""The saga as its services declare it: nothing here has to change when a service is added."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from contracts import participants
from plumbing.participant import Step

_PARTICIPANTS = participants()
_STEPS = [step for one in _PARTICIPANTS.values() for step in one.steps]

SERVICES = tuple(_PARTICIPANTS)
# Where orders come in, and what resumes them.
DOORS = tuple(name for name, one in _PARTICIPANTS.items() if one.steps and one.consumes is None)
SWEEPS = tuple(name for name, one in _PARTICIPANTS.items() if one.republishes)
# The statuses that end an order.
FINAL = frozenset(step.to for step in _STEPS if step.final)
# The statuses of an order whose goods do not go out: after a failure, or compensated.
FAILED = frozenset(
    step.to
    for one in _PARTICIPANTS.values()
    for step in one.steps
    if step.failure or one.compensates is not None
)
# The status that each event leads to, by its detail-type.
STATUS_OF = {step.publishes.__name__: step.to for step in _STEPS if step.publishes}


def _paths(consumed: type[Struct] | None) -> Iterator[tuple[tuple[str, Step], ...]]:
    for service, one in _PARTICIPANTS.items():
        names = (one.consumes and one.consumes.__name__, consumed and consumed.__name__)
        if names[0] != names[1]:
            continue
        for step in one.steps:
            if step.final or step.publishes is None:
                yield ((service, step),)
            else:
                for rest in _paths(step.publishes):
                    yield ((service, step), *rest)


# Every path of an order, from its first step to a final one: the service and its step.
PATHS = tuple(_paths(None))


def _depth(service: str) -> float:
    """Return how many steps come before a service's own, at most; the sweep's is none of them."""
    places = [[name for name, _ in path].index(service) for path in PATHS if service in dict(path)]
    return max(places, default=0.5)


# The order to deploy in at first: what is published finds whoever consumes it, and the sweep, there
# already. So create_order, which lets customers in, comes last.
FIRST_DEPLOYMENT = tuple(sorted(SERVICES, key=lambda service: (-_depth(service), service)))

"""The events on the wire: the producer and the consumers of each, and its sample and schema.

For each event `events/` has a sample, as EventBridge delivers it, written by hand: the contract.
The JSON Schema beside it and openapi.json are generated from the producers' structs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from plumbing.event import Event
from plumbing.participant import Participant

FOLDER = Path(__file__).resolve().parent


def participants() -> dict[str, Participant]:
    """Return what each service declares, by its folder under services/: its only registration."""
    folders = sorted(path.parent.name for path in FOLDER.parent.glob("services/*/events.py"))
    return {name: import_module(f"{name}.events").PARTICIPANT for name in folders}


@dataclass(frozen=True)
class Contract:
    """One event: its struct as the producer declares it, and as each consumer does."""

    published: type[Event]
    producer: str
    consumers: Mapping[str, type[Event]]

    @property
    def detail_type(self) -> str:
        """Return the event's name on the wire."""
        return self.published.__name__

    @property
    def sample(self) -> Path:
        """Return where the sample is."""
        return FOLDER / "events" / f"{self.detail_type}.sample.json"

    @property
    def schema(self) -> Path:
        """Return where the schema of the detail is."""
        return FOLDER / "events" / f"{self.detail_type}.schema.json"


def _contracts() -> tuple[Contract, ...]:
    declared = participants()
    return tuple(
        Contract(
            published,
            producer,
            {
                name: other.consumes
                for name, other in declared.items()
                if other.consumes and other.consumes.__name__ == published.__name__
            },
        )
        for producer, participant in declared.items()
        for published in participant.publishes
    )


CONTRACTS = _contracts()

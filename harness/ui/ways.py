"""The ways that an order can take, read from the events' contracts."""

from __future__ import annotations

import json

from contracts import CONTRACTS
from harness.orders import ENDS

STATUS: dict[str, str] = {
    contract.detail_type: contract.said.status  # type: ignore[attr-defined]
    for contract in CONTRACTS
}
EVENT = {status: event for event, status in STATUS.items()}
SOURCE: dict[str, str] = {
    contract.detail_type: json.loads(contract.sample.read_text())["source"]
    for contract in CONTRACTS
}
HEARER = {
    contract.detail_type: hearer for contract in CONTRACTS for hearer in contract.heard
}  # of each event that somebody hears
HEARERS = tuple(dict.fromkeys(HEARER.values()))
# Of what these do nobody is told: only the order's record tells it.
SILENT = frozenset(HEARERS) - {contract.said_by for contract in CONTRACTS}

# Every status, in an order in which no way goes back; at last those that no event tells.
STATUSES = (*STATUS.values(), *sorted(ENDS - set(EVENT)))
FIRST = STATUSES[0]


def rank(status: str) -> int:
    """Tell how far along its way an order is at this status."""
    return STATUSES.index(status) if status in STATUSES else len(STATUSES)

"""What can go wrong with a call: a new fault is one more name here, and how it is narrated."""

from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.memory import TransactionCanceledException
from tests.simulation.code import Call

WRITES = {"put_item", "update_item", "transact_write_items"}

LOST = "lost in delivery"

# The faults of each kind of call.
ALWAYS = ("crash before", "crash after", "timed out")
FAULTS = {
    "read": ("crash before", "throttled"),
    "create": (*ALWAYS, "throttled", "sent twice"),
    "write": (*ALWAYS, "throttled", "sent twice", "conflict"),
    "events": (*ALWAYS, "throttled", "sent twice", "refused entry"),
    "gateway": (*ALWAYS, "unreachable", "sent twice"),
    "carrier": (*ALWAYS, "unreachable", "sent twice"),
}
# How a story narrates each; no fault has the empty name.
WORDS = {
    "": "- done",
    "crash before": "- CRASHES before that",
    "crash after": "- CRASHES after that took effect",
    "timed out": "- TIMES OUT after that took effect",
    "throttled": "- is THROTTLED",
    "conflict": "- meets a CONFLICT",
    "unreachable": "- CANNOT REACH it",
    "sent twice": "- the client SENDS IT TWICE",
    "refused entry": "- the bus returns 200 and REFUSES THE ENTRY",
    LOST: "- the bus accepts it and LOSES IT in delivery",
}


def kind_of(call: Call) -> str:
    """Return the kind of a call, by which FAULTS has what can go wrong with it."""
    if call.to != "dynamodb":
        return call.to
    if call.operation in WRITES:
        return "create" if call.operation == "put_item" else "write"
    return "read"


def _throttled() -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "any")


def _conflict() -> Exception:
    reasons: Any = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    error: Any = {"Code": "TransactionCanceledException", "Message": "conflict"}
    return TransactionCanceledException(
        {"Error": error, "CancellationReasons": reasons}, "TransactWriteItems"
    )


def _unreachable() -> Exception:
    return ConnectionError("the partner does not respond")


def timed_out() -> Exception:
    """Return the error of a call that took effect and whose response was lost."""
    return ReadTimeoutError(endpoint_url="any")


# The faults in which a call takes no effect, and the error that the handler gets.
WITHOUT_EFFECT = {"throttled": _throttled, "conflict": _conflict, "unreachable": _unreachable}

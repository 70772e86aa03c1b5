"""What can go wrong: with a call, and around it. A new fault is one more name here.

Each is bounded by a scenario's budget of that name.
"""

from __future__ import annotations

from explorer.calls import PARTNER, Answer, Call, Failure

# What a scenario may allow, beside its triggers by their names.
BUDGETS = {
    "faults": "failures of any call",
    "losses": "events that the bus accepts and never delivers",
    "duplicates": "one more delivery of any event or message, at any time",
    "forgeries": "events that somebody publishes who should not",
    "resends": "requests that a client sends once more, at any time",
    "redrives": "messages that a person takes out of a failure queue",
    "late": "calls without a response that take effect later, whatever follows",
    "lags": "times that indexes and weak reads stop following the tables, for as long as they like",
    "waits": "waits",
    "days": "days that pass, after which partners have forgotten their idempotency keys",
    "skews": "invocations on a machine whose clock is ahead or behind",
}

CRASH_BEFORE, CRASH_AFTER = "crash before", "crash after"
TIMED_OUT, SENT_TWICE, LATE = "timed out", "sent twice", "late"
REFUSED, LOST = "refused", "lost"

# How a story tells each.
WORDS = {
    "": "done",
    CRASH_BEFORE: "CRASHES before that",
    CRASH_AFTER: "CRASHES after that took effect",
    TIMED_OUT: "TIMES OUT after that took effect",
    LATE: "TIMES OUT, and that takes effect LATER",
    SENT_TWICE: "the client SENDS IT TWICE",
    "throttled": "is THROTTLED",
    "conflict": "meets a CONFLICT",
    "unreachable": "CANNOT REACH it",
    REFUSED: "the bus returns 200 and REFUSES THE ENTRY",
    LOST: "the bus accepts it and LOSES IT in delivery",
}

# Errors of each operation in the DynamoDB API reference; a batch has none of conflicts.
CONFLICTS = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "TransactGetItems"}
READS = {"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"}


def has_effect(call: Call) -> bool:
    """Return whether a call can change something."""
    if call.service == PARTNER:
        return bool(call.answers)
    return not (call.service == "dynamodb" and call.operation in READS)


def faults(call: Call, *, reduced: bool = True) -> tuple[str, ...]:
    """Return what can go wrong with a call, beside a crash before it.

    Reduced, a read has no crash after it: that is the same as one before it. A transaction that is
    sent twice with one token has the effect of one: "ClientRequestToken" in the API reference.
    """
    crash = () if reduced else (CRASH_AFTER,)
    if call.service == PARTNER:
        if has_effect(call):
            return (CRASH_AFTER, TIMED_OUT, SENT_TWICE, "unreachable")
        return (*crash, TIMED_OUT, "unreachable")
    if call.service == "events":
        return (CRASH_AFTER, TIMED_OUT, SENT_TWICE, "throttled", REFUSED)
    conflict = ("conflict",) if call.operation in CONFLICTS else ()
    if not has_effect(call):
        return (*crash, TIMED_OUT, "throttled", *conflict)
    # Of two requests with one token the second changes nothing ("TransactWriteItems").
    twice = () if "ClientRequestToken" in call.parameters else (SENT_TWICE,)
    wrong = [
        f"{name} {place}" if place else name
        for name in ("throttled", *conflict)
        for place in range(len(call.parameters.get("TransactItems", [call])))
    ]
    return (CRASH_AFTER, TIMED_OUT, *twice, *wrong)


def without_effect(fault: str, call: Call) -> Answer | None:
    """Return what a handler gets for a fault in which its call takes no effect; None for others.

    Source of the codes: "Common errors" and "TransactWriteItems" in the DynamoDB API reference.
    """
    if fault == "unreachable":
        return Answer(failure=Failure("unreachable"))
    if fault == TIMED_OUT and not has_effect(call):
        return Answer(failure=Failure("timeout"))
    fault, _, place = fault.partition(" ")  # of a transaction the place of the item
    if fault not in ("throttled", "conflict"):
        return None
    reasons = {"throttled": "ThrottlingError", "conflict": "TransactionConflict"}
    if "TransactItems" in call.parameters:
        found: list[dict[str, str]] = [{"Code": "None"} for _ in call.parameters["TransactItems"]]
        found[int(place or 0)] = {"Code": reasons[fault], "Message": fault}
        cancelled = {"CancellationReasons": found}
        return Answer(failure=Failure("aws", "TransactionCanceledException", fault, cancelled))
    code = "TransactionConflictException" if fault == "conflict" else "ThrottlingException"
    return Answer(failure=Failure("aws", code, fault))


NO_RESPONSE = Answer(failure=Failure("timeout"))

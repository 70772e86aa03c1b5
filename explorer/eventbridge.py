"""EventBridge: what PutEvents refuses, and how an entry arrives at the targets of rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from botocore.utils import parse_timestamp

from explorer.calls import Failure
from explorer.patterns import check_pattern, matches

__all__ = ["bus", "check_pattern", "envelope", "matches", "refusal", "refused_request"]

# botocore's model of PutEvents: 1 to 10 entries, "the total entry size must be less than 1MB";
# of DetailType: "with a maximum of 128 characters".
ENTRIES, BYTES, DETAIL_TYPE = 10, 1024 * 1024, 128


def refused_request(entries: Sequence[Mapping[str, Any]]) -> Failure | None:
    """Return the error of PutEvents as a whole, by which no entry is published; None for none."""
    if not 1 <= len(entries) <= ENTRIES:
        bound = "less than or equal to 10" if entries else "greater than or equal to 1"
        return _invalid(
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: "
            f"Member must have length {bound}"
        )
    if sum(map(_size, entries)) > BYTES:
        return _invalid("Total size of the entries in the request is over the limit.")
    return None


def refusal(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the result of an entry that PutEvents refuses by itself; None where it takes it.

    The codes are those of PutEventsResultEntry. A bus that does not exist is no reason: its events
    are taken, and lost (github.com/aws/aws-cli/issues/9186).
    """
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _refused(
                "InvalidArgument",
                f"Parameter {name} is not valid. Reason: {name} is a required argument.",
            )
    if len(entry["DetailType"]) > DETAIL_TYPE:
        return _refused(
            "InvalidArgument",
            f"Parameter DetailType is not valid. Reason: it is longer than {DETAIL_TYPE}.",
        )
    if entry["Source"].startswith("aws."):  # user guide, "Events": no event of one's own begins so
        return _refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"], parse_constant=_no_json)
    except (ValueError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        return _refused("MalformedDetail", "Detail is malformed.")
    return None


def bus(entry: Mapping[str, Any]) -> str:
    """Return the name of an entry's bus, also where it is given by its ARN."""
    return str(entry.get("EventBusName") or "default").rpartition("/")[2]


def envelope(
    entry: Mapping[str, Any],
    *,
    event_id: str,
    time: datetime,
    account: str = "000000000000",
    region: str = "us-east-1",
) -> dict[str, Any]:
    """Return the event that a rule's target is given for an entry, put at this time."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": _timestamp(entry.get("Time") or time),
        "region": region,
        "resources": list(entry.get("Resources", ())),
        "detail": json.loads(entry["Detail"]),
    }


def _timestamp(time: Any) -> str:
    moment = time if isinstance(time, datetime) else parse_timestamp(time)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)  # a function's clock has this zone
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(entry: Mapping[str, Any]) -> int:
    """Return an entry's bytes; user guide, "Calculating PutEvents event entry size"."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    texts += entry.get("Resources", ())
    return sum(len(text.encode()) for text in texts) + (14 if entry.get("Time") else 0)


def _invalid(message: str) -> Failure:
    return Failure("aws", "ValidationException", message)


def _refused(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON.")

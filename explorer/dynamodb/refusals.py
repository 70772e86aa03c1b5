"""What DynamoDB answers to a call that it does not carry out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explorer.calls import Answer, Failure


class Refusal(Exception):
    """An error of DynamoDB: its code, its message, and what its response has beside them."""

    def __init__(self, code: str, message: str, response: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.response = code, message, response or {}

    def answer(self) -> Answer:
        """Return the error as the answer to a call."""
        return Answer(failure=Failure("aws", self.code, self.message, self.response))


def invalid(message: str) -> Refusal:
    """Return the error of a request that is not valid."""
    return Refusal("ValidationException", message)


def invalid_value(message: str) -> Refusal:
    """Return the error of a value that may not be stored."""
    return invalid(f"One or more parameter values were invalid: {message}")


def failed_condition(item: Mapping[str, Any] | None) -> Refusal:
    """Return the error of a condition that does not hold, with the item where it was asked for."""
    return Refusal(
        "ConditionalCheckFailedException",
        "The conditional request failed",
        {"Item": item} if item else {},
    )


def cancelled(reasons: list[dict[str, Any]]) -> Refusal:
    """Return the error of a transaction, with a reason for each of its items, in order."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return Refusal(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        {"CancellationReasons": reasons},
    )

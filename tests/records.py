"""What AWS puts into a failure queue, in the two shapes that its documentation shows."""

import json
from typing import Any

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:order-saga-charge-payment"
RULE = "arn:aws:events:us-east-1:123456789012:rule/order-saga/order-saga-charge-payment"


def given_up(event: object, **changes: Any) -> str:
    """Return Lambda's record for an on-failure destination, of an event that failed three times.

    Source: "Capturing records of Lambda asynchronous invocations", AWS Lambda developer guide.
    """
    record = {
        "version": "1.0",
        "timestamp": "2026-01-31T09:03:12.568Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-4880-8a18-0cdf61200e01",
            "functionArn": f"{FUNCTION}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {
            "errorMessage": "Read timeout on endpoint URL",
            "errorType": "ReadTimeoutError",
            "requestId": "e4b46cbf-b738-4880-8a18-0cdf61200e01",
            "stackTrace": ['  File "/var/task/charge_payment/handler.py", line 36, in handle\n'],
        },
    }
    return json.dumps(record | changes)


def dead_letter_attributes(**changes: str) -> dict[str, str]:
    """Return the attributes of an event that a rule could not deliver; the body is the event.

    Source: "Using dead-letter queues to process undelivered events", Amazon EventBridge user guide.
    """
    return {
        "RULE_ARN": RULE,
        "TARGET_ARN": FUNCTION,
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "EventBridge has no permission to invoke the function.",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "185",
        **changes,
    }

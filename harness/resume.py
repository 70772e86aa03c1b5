"""Resume all open orders now, due or not, also those given up: a walk in calls of the sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.errors import UserError
from harness.names import PREFIX, stack_name


def resume_all(client: Any, prefix: str = PREFIX) -> Iterator[dict[str, Any]]:
    """Let the sweep resume each order that is open now, once, and yield what each call did.

    Raises UserError when the sweep fails, or comes no further.
    """
    asked: dict[str, Any] = {"allOpen": True, "after": ""}
    while True:
        response = client.invoke(
            FunctionName=stack_name("resume_orders", prefix), Payload=json.dumps(asked)
        )
        report: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise UserError(f"The sweep failed: {report.get('errorMessage', report)}")
        if "next" not in report:
            raise UserError(
                f"The sweep that is deployed is older than this command: it resumed "
                f"{report.get('resumedOrders')} orders, and cannot say where to go on. "
                "Deploy resume_orders, then resume again."
            )
        yield report
        if report["next"] is None:
            return
        if report["next"] == asked["after"]:
            raise UserError(f"The sweep comes no further: {report['failures'] or 'it has no time'}")
        asked |= {"startedAt": report["startedAt"], "after": report["next"]}

"""Have the sweep resume all open orders now, whether due or given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.deploy import stack_name
from harness.trouble import Trouble


def resume_all(client: Any) -> Iterator[dict[str, int]]:
    """Run the sweep until it has left none, and yield each run's report."""
    while True:
        answer = client.invoke(
            FunctionName=stack_name("resume_orders"), Payload=json.dumps({"allOpen": True})
        )
        report: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Trouble(f"The sweep failed: {report.get('errorMessage', report)}")
        yield report
        if not report["leftOrders"]:
            return

"""Run the sweep over all open orders now, due or not, also those given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harness.errors import UserError
from harness.names import PREFIX, stack_name


def resume_all(client: Any, prefix: str = PREFIX) -> Iterator[dict[str, int]]:
    """Run the sweep until it has left no order, and yield each run's report.

    It ends as well when as many orders were resumed as were open at first: those that stay open
    would be left again and again. Raises UserError when the sweep fails.
    """
    open_orders, resumed = None, 0
    while True:
        response = client.invoke(
            FunctionName=stack_name("resume_orders", prefix), Payload=json.dumps({"allOpen": True})
        )
        report: dict[str, Any] = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise UserError(f"The sweep failed: {report.get('errorMessage', report)}")
        yield report
        open_orders = report["overdueOrders"] if open_orders is None else open_orders
        resumed += report["resumedOrders"]
        if not report["leftOrders"] or resumed >= open_orders:
            return

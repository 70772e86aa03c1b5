"""A hook of schemathesis: each valid request gets an idempotency key of its own.

Else two random orders with one key meet, of which the second is refused, rightly.
"""

from typing import Any
from uuid import uuid4

import schemathesis

from create_order.api import IDEMPOTENCY_KEY


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Replace a key that the API takes."""
    key = case.headers.get("Idempotency-Key")
    if isinstance(key, str) and IDEMPOTENCY_KEY.fullmatch(key):
        case.headers["Idempotency-Key"] = str(uuid4())

"""What lies in a failure queue: each message is one line, poison if it cannot be read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from harness.failures import unwrap
from tests.fuzz.texts import json_texts, texts, values
from tests.world import SAMPLES

EVENT = SAMPLES["InventoryReserved"]
RECORD = {
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": EVENT,
    "responsePayload": {"errorType": "EnvelopeError", "errorMessage": "envelope: wrong"},
}
responses = st.fixed_dictionaries({}, optional={"errorType": values, "errorMessage": values})


@given(
    body=st.one_of(
        json_texts(RECORD),
        json_texts(EVENT),
        responses.map(lambda response: json.dumps({**RECORD, "responsePayload": response})),
    ),
    attributes=st.dictionaries(st.sampled_from(["ERROR_CODE", "ERROR_MESSAGE"]), texts),
)
@example(json.dumps({**RECORD, "responsePayload": {"errorType": "\u2028"}}), {})
def test_every_message_is_a_failure(body: str, attributes: dict[str, str]) -> None:
    failure = unwrap(body, attributes)

    assert failure.kind in ("poison", "transient")
    assert failure.reason.splitlines() == [failure.reason]
    assert _is_text_or_none(failure.event)
    assert _is_text_or_none(failure.order_id)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)

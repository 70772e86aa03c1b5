"""The flow of the saga: read from services and templates, checked, and drawn into docs/flow/."""

from pathlib import Path

import msgspec

from harness.flow.flow import Flow
from harness.flow.svg import draw

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "flow"


def load() -> Flow:
    """Read the flow as `saga flow` last wrote it, which takes no synthesis."""
    return msgspec.json.decode((FOLDER / "flow.json").read_bytes(), type=Flow)


def svg() -> str:
    """Draw the flow as `saga flow` last wrote it; every `data-count` in it is an empty text."""
    return draw(load())

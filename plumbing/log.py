"""Log one JSON line per outcome."""

import sys
from typing import Any

import msgspec


def log(level: str, message: str, **fields: Any) -> None:
    """Write a line with a constant `message` and its fields, and flush it.

    Flushed at once because Lambda freezes the process as soon as the handler has answered.
    """
    line = {"level": level, "message": message} | fields
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()

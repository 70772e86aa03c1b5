"""What a person sees: progress, and orders moving along their way."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

COLOURS = {"SHIPPING_SCHEDULED": "green", "INVENTORY_FAILED": "yellow"}
COLOURS |= {"PAYMENT_FAILED": "yellow", "INVENTORY_RELEASED": "yellow"}

console = Console(soft_wrap=True, highlight=False)


class Progress:
    """Says what is being done, and how long it took."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, doing: str) -> None:
        """Begin the next thing."""
        self.done()
        console.print(f"{doing} ...", end="")
        self._since = time.monotonic()

    def done(self) -> None:
        """End the last thing."""
        if self._since is not None:
            console.print(f" [dim]{time.monotonic() - self._since:.1f} s[/dim]")
        self._since = None


class Way:
    """One order's way, drawn step by step on one line."""

    def __init__(self, label: str) -> None:
        self._drawn: list[dict[str, str]] = []
        console.print(Text(f"{label:<14}"), end="")

    def draw(self, record: dict[str, Any]) -> None:
        """Add the steps that are new in the record."""
        for step in record["history"][len(self._drawn) :]:
            if self._drawn:
                waited = milliseconds(self._drawn[-1], step)
                console.print(f" [dim]─{waited:.0f} ms→[/dim] ", end="")
            console.print(Text(step["status"], COLOURS.get(step["status"], "default")), end="")
            self._drawn.append(step)

    def end(self) -> None:
        """End the line."""
        console.print()


def milliseconds(earlier: dict[str, str], later: dict[str, str]) -> float:
    """Answer the time between two steps of an order."""
    between = datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])
    return between.total_seconds() * 1000


def show(record: dict[str, Any]) -> None:
    """Print an order's record as one line of JSON, without its history."""
    plain = {name: value for name, value in record.items() if name != "history"}
    console.print(Text(json.dumps(plain)))

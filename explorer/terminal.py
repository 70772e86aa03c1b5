"""What a person sees in the terminal; nothing else in the explorer writes to it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from typing import Protocol, TextIO

ERASE = "\r\x1b[K"  # the line that the cursor is on: ECMA-48, EL


class Output(Protocol):
    """Where a command prints to."""

    def say(self, text: str, /) -> None:
        """Print a line."""

    def say_json(self, value: object, /, indent: int | None = None) -> None:
        """Print a value as JSON."""

    def complain(self, text: str, /) -> None:
        """Print a problem as one line to the standard error."""

    def draw(self, text: str, /) -> None:
        """Show a line in place of the last one drawn, until something is printed; "" for none."""


class Terminal:
    """The standard output and error, with everything escaped that is no text."""

    def __init__(self) -> None:
        self._drawn = ""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # not closed, and not a test's
                stream.reconfigure(errors="backslashreplace")

    def say(self, text: str, /) -> None:
        """Print a line."""
        self.draw("")
        self._print(printable(text))

    def say_json(self, value: object, /, indent: int | None = None) -> None:
        """Print a value as JSON."""
        self.draw("")
        self._print(json.dumps(value, indent=indent, default=str).replace("\x7f", "\\u007f"))

    def complain(self, text: str, /) -> None:
        """Print a problem as one line to the standard error."""
        self.draw("")
        with contextlib.suppress(OSError):
            print(f"explorer: {printable(text)}", file=sys.stderr, flush=True)

    def draw(self, text: str, /) -> None:
        """Show a line in place of the last one drawn; nothing where nobody watches."""
        if text == self._drawn or not (sys.stdout and sys.stdout.isatty()):
            return
        self._drawn = text
        width = shutil.get_terminal_size().columns - 1
        self._print(ERASE + printable(text)[:width], end="")

    def _print(self, text: str, end: str = "\n") -> None:
        try:
            print(text, end=end, flush=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            _discard(sys.stdout)
            self.complain(f"The output cannot be written ({error.strerror}).")
            raise SystemExit(2) from error


def printable(text: str) -> str:
    """Return text that any terminal and any XML can take: controls are escaped."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def run(command: Callable[[], int]) -> int:
    """Run a command that prints; return its exit code, 0 when nobody reads its output any more."""
    try:
        return command()
    except BrokenPipeError:  # of `| head`
        _discard(sys.stdout)
        return 0
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            if sys.stdout.isatty():
                print(flush=True)
        return 130


def _discard(stream: TextIO) -> None:
    """Let what Python still writes there at its end go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""Which lines run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any


@contextmanager
def traced(folders: Collection[Path]) -> Iterator[set[tuple[str, int]]]:
    """Collect the lines, by file and number, of files in these folders that run meanwhile."""
    lines: set[tuple[str, int]] = set()
    prefixes = tuple(f"{folder.resolve()}/" for folder in folders)

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def call(frame: FrameType, _event: str, _: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(prefixes) else None

    before = sys.gettrace()
    sys.settrace(call)
    threading.settrace(call)
    try:
        yield lines
    finally:
        sys.settrace(before)
        threading.settrace(None)

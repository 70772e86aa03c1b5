"""Imports that find other sources than the files have."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from a text, and never from or to byte code."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules as Python does, and lets those that have another source be loaded from it."""

    def __init__(self, sources: Mapping[Path, str]) -> None:
        self._sources = {str(path.resolve()): text for path, text in sources.items()}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        text = self._sources.get(str(Path(spec.origin).resolve()))
        if text is not None:
            spec.loader = _Loader(fullname, spec.origin, text)
        return spec if text is not None else None


@contextmanager
def overlay(sources: Mapping[Path, str], packages: Collection[str]) -> Iterator[None]:
    """Let imports find these sources; modules of the packages are imported again meanwhile."""

    def ours() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in packages]

    before = {name: sys.modules.pop(name) for name in ours()}
    finder = _Finder(sources)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(before)

"""A function's own modules, environment and output, apart from those of all others."""

from __future__ import annotations

import gc
import importlib
import importlib.machinery
import importlib.util
import inspect
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from explorer.app import Function

# What Lambda sets; a function's own variables come after it. No configuration of the machine's own
# user is read. Source: "Defined runtime environment variables", AWS Lambda developer guide.
_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "explorer",
    "AWS_SECRET_ACCESS_KEY": "explorer",
    "AWS_SESSION_TOKEN": "explorer",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}
_codes: dict[tuple[str, str], CodeType] = {}


class Image:
    """What a function has in an image of its own, although all share one process.

    own: the names of its own modules. modules: those that are loaded.
    handler: what Lambda calls, once it is loaded.
    printed: what it wrote since this was emptied.
    """

    def __init__(self, function: Function, sources: Mapping[Path, str]) -> None:
        self.own: set[str] = set()
        self.modules: dict[str, ModuleType] = {}
        self.handler: Callable[..., Any] | None = None
        self.printed = io.StringIO()
        self._folders = [str(folder.resolve()) for folder in function.path]
        self._finder = _Finder(self.own, self._folders, sources)
        self._tops = {
            entry.stem
            for folder in self._folders
            for entry in Path(folder).iterdir()
            if entry.suffix == ".py" or (entry.is_dir() and "." not in entry.name)
        } - {"explorer"}
        encode = os.environ.encodekey
        self._environment = {
            encode(name): encode(value)
            for name, value in {
                "PATH": os.environ.get("PATH", ""),
                **_ENVIRONMENT,
                "AWS_LAMBDA_FUNCTION_NAME": function.name,
                "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
                "AWS_LAMBDA_LOG_STREAM_NAME": "explorer",
                "_HANDLER": function.handler,
                "LAMBDA_TASK_ROOT": self._folders[0] if self._folders else "",
                **function.environment,
            }.items()
        }
        handler = logging.StreamHandler(self.printed)
        handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(message)s"))
        self._root = {"handlers": [handler], "level": logging.WARNING, "filters": [], "_cache": {}}
        self._loggers = dict(logging.Logger.manager.loggerDict)
        self._session: Any = None  # boto3's default one
        package, dot, _ = function.handler.rpartition(".")[0].replace("/", ".").partition(".")
        self._package = package if dot else ""
        self._files: dict[str, str] = {}
        self._seen, self._hidden = -1, list[str]()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make the process that of the function, until the end of the block."""
        hidden = {n: sys.modules.pop(n) for n in self._others() if n in sys.modules}
        environment, path, hooks = vars(os.environ)["_data"], sys.path, sys.meta_path
        stdout, stderr, thresholds = sys.stdout, sys.stderr, gc.get_threshold()
        root, manager = vars(logging.root), logging.Logger.manager
        logging_before = {name: root[name] for name in self._root}
        loggers = manager.loggerDict
        boto3: Any = sys.modules.get("boto3")
        session = boto3 and boto3.DEFAULT_SESSION
        sys.modules.update(self.modules)
        vars(os.environ)["_data"] = dict(self._environment)
        sys.path, sys.meta_path = [*self._folders, *path], [self._finder, *hooks]
        sys.stdout = sys.stderr = self.printed
        root.update(self._root)
        manager.loggerDict = self._loggers
        if boto3:
            boto3.DEFAULT_SESSION = self._session
        try:
            yield
        finally:
            boto3 = sys.modules.get("boto3")
            if boto3:
                self._session, boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, session
            manager.loggerDict = loggers
            self._root = {name: root[name] for name in self._root}
            root.update(logging_before)
            sys.stdout, sys.stderr = stdout, stderr
            sys.path, sys.meta_path = path, hooks
            vars(os.environ)["_data"] = environment
            gc.set_threshold(*thresholds)
            for name in self.own:
                if name in sys.modules:
                    self.modules[name] = sys.modules.pop(name)
            sys.modules.update(hidden)

    def line(self, frame: FrameType | None) -> str:
        """Return the innermost line of the function's own code, from a frame outwards.

        That is the code of the handler's package, before what lies beside that.
        """
        beside = None
        while frame:
            name = frame.f_globals.get("__name__", "")
            if name in self.own:
                if not self._package or name.partition(".")[0] == self._package:
                    return self._line(frame.f_code.co_filename, frame.f_lineno)
                beside = beside or frame
            frame = frame.f_back
        if beside:
            return self._line(beside.f_code.co_filename, beside.f_lineno)
        # A library that decorates the handler calls before the handler does.
        code = getattr(inspect.unwrap(self.handler), "__code__", None) if self.handler else None
        return self._line(code.co_filename, code.co_firstlineno) if code else ""

    def _line(self, path: str, number: int) -> str:
        if path not in self._files:
            bases = [Path.cwd(), *Path(os.path.commonpath(self._folders)).parents[:1]]
            inside = [base for base in bases if Path(path).is_relative_to(base)]
            self._files[path] = str(Path(path).relative_to(inside[0])) if inside else path
        return f"{self._files[path]}:{number}"

    def modules_now(self) -> dict[str, ModuleType]:
        """Return the function's own modules, while it is entered."""
        return {name: sys.modules[name] for name in self.own if name in sys.modules}

    def load(self, module: str) -> ModuleType:
        """Import a module of the function."""
        importlib.invalidate_caches()
        return importlib.import_module(module)

    def _others(self) -> list[str]:
        """Return the loaded modules that have the names of the function's own, and are not."""
        if len(sys.modules) != self._seen:
            self._hidden = [name for name in sys.modules if name.partition(".")[0] in self._tops]
            self._seen = len(sys.modules)
        return self._hidden


class _Finder:
    """Finds a function's own modules."""

    def __init__(self, own: set[str], folders: Sequence[str], sources: Mapping[Path, str]) -> None:
        self._own, self._folders = own, folders
        self._sources = {str(path.resolve()): text for path, text in sources.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return where a module is, if it is one of the function's own."""
        parent = fullname.rpartition(".")[0]
        if parent and parent not in self._own:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not (parent or self._is_own(spec)):
            return None
        if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self._sources)
        self._own.add(fullname)
        return spec

    def _is_own(self, spec: importlib.machinery.ModuleSpec) -> bool:
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
        up = 2 if spec.origin and spec.submodule_search_locations is not None else 1
        return any(str(Path(place).parents[up - 1]) in self._folders for place in places)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from its text, and never from or to byte code."""

    def __init__(self, name: str, path: str, sources: Mapping[str, str]) -> None:
        super().__init__(name, path)
        self._sources = sources

    def get_data(self, path: str) -> bytes:
        """Return the text of a file, or what is in its place."""
        text = self._sources.get(str(Path(path).resolve()))
        return super().get_data(path) if text is None else text.encode()

    def get_code(self, fullname: str) -> CodeType:
        """Compile the text, unless that was done for another function."""
        path = self.get_filename(fullname)
        text = importlib.util.decode_source(self.get_data(path))
        if (path, text) not in _codes:
            _codes[path, text] = self.source_to_code(text, path)
        return _codes[path, text]

"""Find an exploration by what a person types, and say in a sentence why it cannot be loaded."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from explorer.app import Scenario
from explorer.calls import BreachError, UnknownCallError
from explorer.declared import misfits
from explorer.exploration import Exploration, Release

_OWN = Path(__file__).resolve().parent
_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
_INSTALLED = {"site-packages", "dist-packages"}


class CommandError(Exception):
    """What was asked for cannot be done; the message is the sentence for the person.

    files: those that it may be because of.
    """

    def __init__(self, message: str, files: frozenset[Path] = frozenset()) -> None:
        super().__init__(message)
        self.files = files


@dataclass(frozen=True)
class Origin:
    """Where an exploration comes from: what loads it, and what a person types before `story`."""

    load: Callable[[], Exploration]
    command: str
    name: str


def origin(target: str) -> Origin:
    """Return where `module`, `module:name`, `file.py` or `file.py:name` leads to."""
    place, _, name = target.partition(":")
    command = f"python -m explorer {target}"
    return Origin(lambda: _find(place, name or "exploration"), command, target)


def load(origin: Origin) -> tuple[Exploration, Release]:
    """Load an exploration, and the handlers of its application.

    Raises CommandError when one of them cannot be.
    """
    try:
        exploration = origin.load()
        for misfit in misfits(exploration):
            raise CommandError(f"{origin.name}: {misfit}", own_files())
        return exploration, Release(exploration.app)
    except CommandError:
        raise
    except (BreachError, UnknownCallError) as error:
        raise CommandError(str(error), _files(error)) from error
    except Exception as error:
        why = f"{origin.name} cannot be loaded: {explained(error)}"
        raise CommandError(why, _files(error)) from error


def choose(exploration: Exploration, names: Sequence[str]) -> Sequence[Scenario]:
    """Return the scenarios of these names, all for none; raises CommandError for an unknown one."""
    scenarios = {one.name: one for one in exploration.scenarios}
    for name in names:
        if name not in scenarios:
            known = ", ".join(map(repr, scenarios))
            raise CommandError(f"There is no scenario {name!r}: name one of {known}.")
    return [one for one in exploration.scenarios if not names or one.name in names]


def own_files() -> frozenset[Path]:
    """Return the files of loaded modules that nobody installed, and that are not the explorer."""
    return frozenset(file for _, file in _own_modules())


def forget_own_modules() -> None:
    """Let the modules that nobody installed be read again by whatever imports them next."""
    for name, _ in list(_own_modules()):
        del sys.modules[name]


def _own_modules() -> Iterator[tuple[str, Path]]:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name != "__main__" and _is_own(Path(file).resolve()):
            yield name, Path(file).resolve()


def _is_own(file: Path) -> bool:
    installed = _INSTALLED & set(file.parts) or file.is_relative_to(_LIBRARY)
    return not installed and not file.is_relative_to(_OWN)


def _find(place: str, name: str) -> Exploration:
    module = _module_of_file(Path(place)) if place.endswith(".py") else _module(place)
    if not hasattr(module, name):
        raise CommandError(f"{place} has no {name}: name what it has, as {place}:NAME.")
    found = getattr(module, name)
    if callable(found):
        found = found()
    if not isinstance(found, Exploration):
        raise CommandError(f"{name} of {place} is no Exploration, but a {type(found).__name__}.")
    return found


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise CommandError(
                f"There is no module {name}: name one, or a file that ends with .py."
            ) from error
        raise


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as Python does it for a file that it runs
    spec = importlib.util.spec_from_file_location("__exploration__", path.resolve())
    assert spec
    assert spec.loader
    module = sys.modules["__exploration__"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def explained(error: Exception) -> str:
    """Return an error in a line, with its place in what nobody installed."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}, at {_short(error.filename)}:{error.lineno}"
    places = [
        f", at {_short(frame.filename)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_own(Path(frame.filename).resolve()) and Path(frame.filename).is_file()
    ]
    return f"{type(error).__name__}: {error}{places[-1] if places else ''}"


def _files(error: Exception) -> frozenset[Path]:
    """Return the files that an error came through."""
    names = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        names.append(error.filename)
    files = {Path(name).resolve() for name in names if Path(name).is_file()}
    return frozenset(file for file in files if _is_own(file))


def _short(name: str | None) -> str:
    """Return a file as a person in this folder calls it."""
    path = Path(name or "?")
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)

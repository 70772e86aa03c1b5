"""The services' real code, imported so that it can be stopped at each of its calls."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

from harness.releases import services, subscriptions
from plumbing.participant import Participant
from tests.memory import Exceptions
from tests.simulation.state import minted
from tests.world import settings

ROOT = Path(__file__).resolve().parents[2]
REMEMBERED = timedelta(hours=23)


@dataclass(frozen=True)
class Edit:
    """A change of the source: `old`, which occurs once in `file`, becomes `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Call:
    """A call that a handler makes of something outside it."""

    to: str
    operation: str
    arguments: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Answered:
    """The result of a call: the response, or the error raised instead."""

    answer: Any = None
    error: Callable[[], Exception] | None = None


class Stopped(BaseException):
    """The handler makes a call whose response is not known yet; no handler catches this."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


@dataclass(frozen=True)
class Ended:
    """A handler's end: what it returned, or the error that it raised, and what it logged."""

    result: Any = None
    error: Exception | None = None
    logged: Sequence[Mapping[str, Any]] = ()


class Code:
    """The handlers of all services, each to be run from its beginning with the responses so far.

    Running it again for each response is what makes a half-run handler a value: it can be copied,
    compared and gone on with in more than one way, because a handler depends on nothing but its
    event and the responses that it gets.
    """

    def __init__(self, edits: Sequence[Edit] = (), tree: Path = ROOT) -> None:
        self._answers: list[Answered] = []
        self._given = 0
        self._now = datetime.now(UTC)
        self._event: Any = None
        self._logged: list[Mapping[str, Any]] = []
        self._tree = tree
        self.services = services(tree)
        self.subscriptions = subscriptions(tree)
        self.participants: dict[str, Participant] = {}
        with _fresh_imports(edits, tree):
            self._handlers = {service: self._wire(service) for service in self.services}

    def run(
        self,
        service: str,
        event: Any,
        now: datetime,
        answers: Sequence[Answered],
        query: Callable[[Call], Answered],
    ) -> Call | Ended:
        """Run a handler up to the first call that `answers` has no response for, or to its end.

        After those, an index responds at once, by `query`.
        """
        self._answers, self._given, self._now = list(answers), 0, now
        self._query = query
        self._event, self._logged = event, []
        try:
            return Ended(self._handlers[service].handle(event, None), logged=self._logged)
        except Stopped as stopped:
            return stopped.call
        except Exception as error:
            return Ended(error=error, logged=self._logged)

    def _wire(self, service: str) -> Any:
        """Import a handler with a clock, clients and partners of the simulation."""
        aws, conditional_write, step, log = (
            importlib.import_module(f"plumbing.{name}")
            for name in ("aws", "conditional_write", "step", "log")
        )
        conditional_write.FIRST_PAUSE_SECONDS = 0  # type: ignore[attr-defined]
        step.utc_now = lambda: self._now  # type: ignore[attr-defined]
        log.log = lambda *line, **fields: self._logged.append(fields)  # type: ignore[attr-defined]
        log.StepLog.__call__ = lambda *line, **fields: None
        with (
            mock.patch.dict(os.environ, settings(service, self._tree / "services")),
            mock.patch.object(aws, "dynamodb", return_value=_Client(self, "dynamodb")),
            mock.patch.object(aws, "eventbridge", return_value=_Client(self, "events")),
        ):
            handler: Any = importlib.import_module(f"{service}.handler")
        if service == "create_order":
            importlib.import_module("create_order.api").uuid4 = self._mint  # type: ignore[attr-defined]
        declared = importlib.import_module(f"{service}.events")
        self.participants[service] = declared.PARTICIPANT
        if hasattr(handler, "gateway"):
            handler.gateway = _Gateway(self, importlib.import_module(f"{service}.{service}"))
        if hasattr(handler, "carrier"):
            handler.carrier = _Carrier(self)
        return handler

    def _mint(self) -> UUID:
        """Return the id of an order without a key, the same each time that its request is run."""
        request_id = self._event["requestContext"].get("requestId")
        return minted(request_id) if request_id else uuid4()

    def call(self, call: Call) -> Any:
        """Respond to a call of the running handler, or stop it there."""
        if self._given == len(self._answers):
            if call.operation != "query":
                raise Stopped(call)
            self._answers.append(self._query(call))
        answered = self._answers[self._given]
        self._given += 1
        if answered.error:
            raise answered.error()
        return answered.answer


class _Client:
    """A client of AWS."""

    exceptions = Exceptions

    def __init__(self, code: Code, name: str) -> None:
        self._code, self._name = code, name

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **arguments: self._code.call(Call(self._name, operation, arguments))


class _Gateway:
    """The payment provider: returns a payment's id, or None for a decline."""

    remembers_keys_for = REMEMBERED

    def __init__(self, code: Code, words: ModuleType) -> None:
        self._code, self._words = code, words

    def charge(self, *, idempotency_key: UUID | None, customer_id: str, amount_cents: int) -> Any:
        key = str(idempotency_key) if idempotency_key else None
        asked = {"key": key, "customer": customer_id, "amount": amount_cents}
        payment_id = self._code.call(Call("gateway", "charge", asked))
        if payment_id is None:
            return self._words.Declined("card declined")
        return self._words.Charged(UUID(payment_id))

    def find(self, *, idempotency_key: UUID) -> Any:
        payment_id = self._code.call(Call("gateway", "find", {"key": str(idempotency_key)}))
        return self._words.Charged(UUID(payment_id)) if payment_id else None


class _Carrier:
    """The shipping company: returns a tracking number."""

    remembers_keys_for = REMEMBERED

    def __init__(self, code: Code) -> None:
        self._code = code

    def book(
        self, *, idempotency_key: UUID | None, customer_id: str, sku: str, quantity: int
    ) -> Any:
        key = str(idempotency_key) if idempotency_key else None
        asked = {"key": key, "customer": customer_id}
        return self._code.call(Call("carrier", "book", asked))

    def find(self, *, idempotency_key: UUID) -> Any:
        return self._code.call(Call("carrier", "find", {"key": str(idempotency_key)}))


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from its source with edits made, and never from or to byte code."""

    def __init__(self, name: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(name, path)
        self._edits = edits

    def get_code(self, fullname: str) -> Any:
        text = Path(self.path).read_text()
        for edit in self._edits:
            if text.count(edit.old) != 1:
                raise ValueError(f"{edit.file} has {text.count(edit.old)} times: {edit.old}")
            text = text.replace(edit.old, edit.new)
        return compile(text, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the services' modules and plumbing."""

    def __init__(self, edits: Sequence[Edit], tree: Path) -> None:
        self._edits, self._tree = edits, tree
        self._packages = {*services(tree), "plumbing"}

    def find_spec(self, fullname: str, path: object, target: object = None) -> Any:
        package, *module = fullname.split(".")
        if package not in self._packages:
            return None
        folder = Path(package) if package == "plumbing" else Path("services", package)
        file = str(folder / (f"{module[0]}.py" if module else "__init__.py"))
        edits = [edit for edit in self._edits if edit.file == file]
        loader = _Loader(fullname, str(self._tree / file), edits)
        return importlib.util.spec_from_file_location(
            fullname,
            self._tree / file,
            loader=loader,
            submodule_search_locations=None if module else [str(self._tree / folder)],
        )


@contextmanager
def _fresh_imports(edits: Sequence[Edit], tree: Path) -> Iterator[None]:
    """Let imports of services and plumbing give new modules, and drop those afterwards."""
    packages = {*services(ROOT), *services(tree), "plumbing"}

    def ours() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in packages]

    before = {name: sys.modules.pop(name) for name in ours()}
    finder = _Finder(edits, tree)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(before)

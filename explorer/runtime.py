"""Runs Lambda handlers as they are, up to the first of their calls that has no answer yet."""

from __future__ import annotations

import _thread
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from explorer.app import Function, Partner
from explorer.aws import Interception, copy
from explorer.calls import Answer, BreachError, Call, Ended
from explorer.clock import SECOND, Clock, Source
from explorer.imports import Image
from explorer.partners import replace_partners

_LOADED_AT = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Events of Python itself: docs.python.org/3/library/audit_events.html
_CONNECTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
_STARTS = {
    "_thread.start_new_thread": "thread",
    "_thread.start_joinable_thread": "thread",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "os.system": "process",
    "subprocess.Popen": "process",
}

# What makes so many in one invocation goes on for ever, as far as can be seen.
CALLS = 1_000

AtOnce = Callable[[Call], Answer | None]


@dataclass(frozen=True)
class Run:
    """What a run came to.

    end: the call that it stopped at, or its end.
    calls: all that it made, in order; one that it stopped at is the last.
    answers: those that it was given, in the order of the calls, also those given at once.
    """

    end: Call | Ended
    calls: tuple[Call, ...]
    answers: tuple[Answer, ...]


class Runtime:
    """The handlers of some functions, each to be run from its beginning with the answers so far.

    Running it again for each answer is what makes a half-run handler a value: it can be copied,
    compared and gone on with in more than one way. One run at a time, in one thread.

    sources: texts in place of those of files.
    partners: of each function, as it declares them or its code does, by their names.
    """

    def __init__(
        self, functions: Sequence[Function], sources: Mapping[Path, str] | None = None
    ) -> None:
        _watch_process()
        self._clock = Clock()
        self._interception = Interception(_ask)
        self.partners: dict[str, Mapping[str, Partner]] = {}
        self._functions = {function.name: function for function in functions}
        self._images = {function.name: Image(function, sources or {}) for function in functions}
        for function in functions:
            self._load(function)

    def run(
        self,
        function: str,
        event: Any,
        *,
        now: datetime,
        request_id: str,
        answers: Sequence[Answer],
        at_once: AtOnce = lambda _: None,
        attempt: int = 1,
    ) -> Run:
        """Run a handler up to the first call that has no answer, or to its end.

        A call after those that have `answers` is given that of `at_once`, if it returns one. The
        ids that are made depend on the function, the event, the request and the attempt alone.
        Raises BreachError when the handler does what cannot be repeated.
        """
        image = self._images[function]
        handler = image.handler
        assert handler
        seed = (function, request_id, attempt, event)
        going = _Going(self._functions[function], image, answers, at_once, seed, now)
        context = Context(function, request_id, going.source)
        copied = copy(event)
        with self._going(going, image):
            result, error, returned = None, "", False
            try:
                with _bounded(self._functions[function].timeout):
                    result = copy_context().run(handler, copied, context)
                returned = True
            except _Stopped:
                pass
            except (Exception, SystemExit) as raised:
                error = _text(raised)
        if returned and isinstance(going.end, Call):
            going.breach = going.breach or BreachError(
                f"{function}: after {going.end.operation} raised a BaseException it goes on: let"
                " it catch Exception, as a handler that is killed there would not go on"
            )
        if going.breach:
            raise going.breach
        end = going.end or (Ended(error=error) if error else _returned(result))
        if isinstance(end, Ended):
            end = replace(end, printed=tuple(image.printed.getvalue().splitlines()))
        return Run(end, tuple(going.calls), tuple(going.answers))

    def files(self, function: str) -> frozenset[Path]:
        """Return the files of a function's own modules that are loaded."""
        modules = self._images[function].modules.values()
        return frozenset(Path(one.__file__).resolve() for one in modules if one.__file__)

    def module(self, function: str, name: str) -> ModuleType:
        """Import one of a function's own modules, as its handler does."""
        image = self._images[function]
        going = _Going(self._functions[function], image, (), _unanswered, (function,), _LOADED_AT)
        with self._going(going, image):
            return image.load(name)

    def _load(self, function: Function) -> None:
        image = self._images[function.name]
        going = _Going(function, image, (), _unanswered, (function.name,), _LOADED_AT)
        module, _, attribute = function.handler.replace("/", ".").rpartition(".")
        with self._going(going, image):
            try:
                handler = image.load(module)
            except ModuleNotFoundError as error:
                if error.name and f"{module}.".startswith(f"{error.name}."):
                    folders = " or ".join(map(str, function.path))
                    raise BreachError(
                        f"{function.name}: there is no module {error.name} in {folders}:"
                        f" mend its handler, {function.handler}, or its path"
                    ) from error
                raise
            if not hasattr(handler, attribute):
                raise BreachError(
                    f"{function.name}: {module} has no {attribute}:"
                    f" mend its handler, {function.handler}"
                )
            self.partners[function.name] = replace_partners(
                function, handler, image.modules_now(), _ask, _fail
            )
            image.handler = getattr(handler, attribute)
        if going.breach:
            raise going.breach

    @contextmanager
    def _going(self, going: _Going, image: Image) -> Iterator[None]:
        """Make the process that of a run."""
        global _now
        if _now:
            raise RuntimeError("a run is begun within a run: let `at_once` begin none")
        image.printed.seek(0)
        image.printed.truncate()
        self._clock.enter(going.source)
        try:
            with image.entered():
                self._interception.enter()
                _now = going
                try:
                    yield
                finally:
                    _now = None
                    self._interception.leave()
        finally:
            self._clock.leave()


class _Stopped(BaseException):
    """The handler goes no further; nothing that it catches is this."""


class _Going:
    """A run while it runs."""

    def __init__(
        self,
        function: Function,
        image: Image,
        given: Sequence[Answer],
        at_once: AtOnce,
        seed: object,
        now: datetime,
    ) -> None:
        began = (now - _EPOCH) // timedelta(microseconds=1) * 1000
        self.source = Source(seed, began, function.timeout, self.late)
        self.function, self._timeout = function.name, function.timeout
        self._image, self._given, self._at_once = image, given, at_once
        self.loading = at_once is _unanswered
        self.calls: list[Call] = []
        self.answers: list[Answer] = []
        self.end: Call | Ended | None = None
        self.breach: BreachError | None = None

    def ask(self, call: Call) -> Answer:
        """Return the answer to a call, or stop the handler there."""
        if self.end or self.breach:
            raise _Stopped
        place = len(self.calls)
        if place == CALLS:
            self.fail(f"makes more than {CALLS:,} calls for one event: it goes round in a circle")
        where = self._image.line(sys._getframe(2))
        call = replace(call, where=where)
        self.calls.append(call)
        answer = self._given[place] if place < len(self._given) else self._at_once(call)
        if answer is None:
            self.end = call
            raise _Stopped
        self.answers.append(answer)
        return answer

    def late(self) -> None:
        """End the handler as Lambda does when its time is over."""
        self.end = self.end or Ended(error=f"Task timed out after {self._timeout:.2f} seconds")
        raise _Stopped

    def endless(self) -> NoReturn:
        """Stop a handler that goes on without a call."""
        self.breach = self.breach or BreachError(
            f"{self.function}: does not end, {self._timeout:g} s of the processor after it began"
        )
        raise _Stopped

    def fail(self, what: str) -> NoReturn:
        """Stop the handler: it does what no exploration can follow."""
        self.breach = self.breach or BreachError(f"{self.function}: {what}")
        raise self.breach


class Context:
    """What Lambda passes beside the event.

    Source: "Using the Lambda context object", AWS Lambda developer guide.
    """

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    log_stream_name = "explorer"
    identity = None
    client_context = None

    def __init__(self, function: str, request_id: str, source: Source) -> None:
        self.function_name = function
        self.aws_request_id = request_id
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
        self.log_group_name = f"/aws/lambda/{function}"
        self._source = source

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left, by the clock of the run."""
        return max(0, (self._source.ended - self._source.now) * 1000 // SECOND)


_now: _Going | None = None
_is_watched = False


def _ask(call: Call) -> Answer:
    assert _now
    return _now.ask(call)


def _fail(what: str) -> NoReturn:
    assert _now
    _now.fail(what)


def _unanswered(call: Call) -> NoReturn:
    _fail(f"calls {call.service}.{call.operation} while it is imported: call it in the handler")


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Stop what takes longer, by the time of the processor; only a main thread can be stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Again and again, as a handler can catch what it is stopped by.
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _stop(*_: object) -> None:
    if _now is not None:
        _now.endless()


def _watch_process() -> None:
    """Let Python itself tell what a run may not do; outside of a run it makes no difference."""
    global _is_watched
    if not _is_watched:
        sys.addaudithook(_audit)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGVTALRM, _stop)
        _is_watched = True
        if sys.version_info < (3, 12):  # it tells of no thread

            def start(*thread: Any) -> Any:
                _audit("_thread.start_new_thread", thread)
                return _thread.start_new_thread(*thread)

            vars(threading)["_start_new_thread"] = start


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _now is None:
        return
    if event in _CONNECTS:
        address = arguments[-1] if event in ("socket.connect", "socket.sendto") else arguments[:2]
        parts = address[:2] if isinstance(address, tuple) else (address,)
        host = ":".join(str(part) for part in parts if part is not None)
        _fail(f"opens a connection to {host}: declare a Partner for what makes it")
    if event in _STARTS and not _now.loading:
        _fail(f"starts a {_STARTS[event]}: what it does beside the handler cannot be repeated")


def _text(raised: BaseException) -> str:
    try:
        return f"{type(raised).__name__}: {raised}"
    except Exception as error:
        return f"{type(raised).__name__}, whose text cannot be had: {type(error).__name__}"


def _returned(result: Any) -> Ended:
    """Return the end with a result as Lambda writes it, as JSON."""
    if result is None or isinstance(result, bytes):
        return Ended(result)
    try:
        return Ended(json.loads(json.dumps(result, default=_number)))
    except (TypeError, ValueError) as error:
        return Ended(error=f"Runtime.MarshalError: Unable to marshal response: {error}")


def _number(value: Any) -> float:
    if not isinstance(value, Decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return int(value) if value == value.to_integral_value() else float(value)

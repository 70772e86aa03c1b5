"""What a handler has of partners outside AWS: stand-ins that make each use of them a call."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, NoReturn

from botocore.client import BaseClient

from explorer.app import Function, Partner
from explorer.aws import plain
from explorer.calls import PARTNER, Answer, BreachError, Call

# Makes a call, and returns the answer.
Ask = Callable[[Call], Answer]
# Stops the handler, which does what cannot be explored; the text says what.
Fail = Callable[[str], NoReturn]
Modules = Mapping[str, ModuleType]


def replace_partners(
    function: Function, handler: ModuleType, modules: Modules, ask: Ask, fail: Fail
) -> dict[str, Partner]:
    """Put a stand-in in the place of each partner that a handler's module has; return them.

    A partner is declared by the function, or by a `PARTNER` in the module of its class, which has
    the attributes of `Partner` as far as they differ from its defaults. Raises BreachError for one
    that is declared nowhere.
    """
    partners = dict(function.partners)
    for name, value in list(vars(handler).items()):
        module = modules.get(getattr(type(value), "__module__", ""))
        if name in partners or name in function.not_partners or module is None:
            continue
        if declared := getattr(module, "PARTNER", None):
            partners[name] = _partner(declared)
        elif _acts(value, modules) and not _holds_client(value):
            methods = " or ".join(f"{name}.{method}" for method in _methods(value, modules))
            raise BreachError(
                f"{function.name}: {name} may reach something outside AWS by {methods}: declare"
                f" it as a Partner of the function, or name it in not_partners"
            )
    for name, partner in partners.items():
        if not hasattr(handler, name):
            raise BreachError(
                f"{function.name}: {function.handler} has no {name}, which is declared a Partner"
            )
        value = getattr(handler, name)
        stand_in = _StandIn(name, value, partner, ask, fail)
        stand_in.refused = set(_methods(value, modules)) - {partner.act, partner.find}
        setattr(handler, name, stand_in if partner.act else stand_in.acts(value, ""))
    return partners


class _StandIn:
    """Stands in for a partner: what it does is a call; its data are those of the original."""

    def __init__(self, name: str, value: Any, partner: Partner, ask: Ask, fail: Fail) -> None:
        self._name, self._value, self._partner = name, value, partner
        self._ask, self._fail = ask, fail
        self.refused: set[str] = set()
        if partner.act:
            setattr(self, partner.act, self.acts(getattr(value, partner.act), f".{partner.act}"))
        if partner.find:
            finds = self.acts(getattr(value, partner.find), f".{partner.find}", finds=True)
            setattr(self, partner.find, finds)

    def __getattr__(self, attribute: str) -> Any:
        if attribute in self.refused:
            self._fail(f"{self._name}.{attribute} is called, and its Partner does not declare it")
        return getattr(self._value, attribute)

    def acts(self, original: Callable[..., Any], method: str, *, finds: bool = False) -> Any:
        """Return what stands in for a method, or for a function."""
        signature = inspect.signature(original)
        partner = self._partner
        operation = self._name + method

        def act(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = bound.arguments
            try:
                key = partner.key(arguments)
                answers = () if finds else partner.answers(**arguments)
                effects = tuple(bool(partner.effect(answer)) for answer in answers)
            except Exception as error:
                self._fail(f"{operation}: its Partner raises {type(error).__name__}: {error}")
            if not isinstance(answers, list | tuple) or not (answers or finds):
                self._fail(
                    f"{operation}: its Partner answers {answers!r}: return a list of answers, "
                    "[None] where it returns nothing"
                )
            answer = self._ask(
                Call(
                    PARTNER,
                    operation,
                    plain(arguments),
                    key=None if key is None else str(key),
                    answers=tuple(map(repr, answers)),
                    effects=effects,
                )
            )
            if answer.failure:
                kind = TimeoutError if answer.failure.kind == "timeout" else ConnectionError
                raise kind(answer.failure.message or f"{operation}: {answer.failure.kind}")
            place = answer.output
            return None if place is None else partner.answers(**arguments)[place]

        return act


def _partner(declared: Any) -> Partner:
    given = {
        field.name: getattr(declared, field.name)
        for field in dataclasses.fields(Partner)
        if hasattr(declared, field.name)
    }
    return Partner(**given)


def _methods(value: Any, modules: Modules) -> list[str]:
    """Return the public methods that the function's own code gives to an object."""
    return [
        name
        for kind in type(value).__mro__
        if kind.__module__ in modules
        for name, member in vars(kind).items()
        if isinstance(member, FunctionType) and not name.startswith("_")
    ]


def _acts(value: Any, modules: Modules) -> bool:
    return not isinstance(value, enum.Enum | ModuleType) and bool(_methods(value, modules))


def _holds_client(value: Any) -> bool:
    """Return whether a client of AWS can be reached from an object."""
    seen, waiting = dict[int, Any](), [value]
    while waiting and len(seen) < 10_000:
        reached = waiting.pop()
        if isinstance(reached, BaseClient):
            return True
        if id(reached) not in seen:
            seen[id(reached)] = reached  # kept, or its id could become that of another
            waiting.extend(_parts(reached))
    return False


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, FunctionType):
        yield from inspect.getclosurevars(value).nonlocals.values()
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif not isinstance(value, type | ModuleType):
        yield from getattr(value, "__dict__", {}).values()
        for kind in type(value).__mro__:
            slots = vars(kind).get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                yield getattr(value, slot, None)

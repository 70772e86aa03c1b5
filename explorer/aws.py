"""A client's call of AWS as a call of a run: what botocore does before and after the request."""

from __future__ import annotations

import functools
import marshal
from collections.abc import Callable
from datetime import date
from typing import Any

import botocore.loaders
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.validate import ParamValidator

from explorer.calls import Answer, Call, Failure

# Makes a call, and returns the answer.
Ask = Callable[[Call], Answer]

_clients: Any = BaseClient
_validator = ParamValidator()
_seen: dict[tuple[str, str, bytes], Any] = {}
_MAX_SEEN = 20_000
# Each session would read the descriptions of AWS again.
_shared_loader = functools.cache(botocore.loaders.create_loader)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str.__str__(value)  # of an enum its value
    return value.isoformat() if isinstance(value, date) else str(value)


def plain(value: Any, other: Callable[[Any], Any] = _text) -> Any:
    """Return a copy of a value that shares no dict and no list with it, made of plain values.

    other: what becomes of a value that JSON does not have.
    """
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool or kind is float:
        return value
    if isinstance(value, dict):
        return {str(name): plain(inner, other) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, other) for inner in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return other(value)


def copy(value: Any) -> Any:
    """Return a copy of a value that shares no dict and no list with it."""
    try:
        return marshal.loads(marshal.dumps(value, 2))  # noqa: S302 - it was written just now
    except ValueError:
        return plain(value, _same)


class Interception:
    """While it is entered, clients of AWS make their calls of `ask`."""

    def __init__(self, ask: Ask) -> None:
        def make_api_call(client: Any, operation: str, parameters: Any) -> Any:
            return _make_api_call(client, operation, parameters, ask)

        self._make_api_call = make_api_call

    def enter(self) -> None:
        """Begin to intercept."""
        self._before = vars(BaseClient)["_make_api_call"], botocore.session.create_loader
        _clients._make_api_call = self._make_api_call
        botocore.session.create_loader = _shared_loader

    def leave(self) -> None:
        """End it."""
        _clients._make_api_call, botocore.session.create_loader = self._before


def _make_api_call(client: Any, operation: str, parameters: Any, ask: Ask) -> Any:
    """Do as botocore's method of that name does, with `ask` in place of a request.

    Its events are emitted, because boto3's resources convert values on them.
    """
    service = client._service_model
    model = service.operation_model(operation)
    context = {
        "client_region": client.meta.region_name,
        "client_config": client.meta.config,
        "has_streaming_input": model.has_streaming_input,
    }
    parameters = client._emit_api_params(
        api_params=parameters, operation_model=model, context=context
    )
    parameters = _validated(client, model, parameters)
    answer = ask(Call(service.service_name, operation, parameters))
    failure = answer.failure
    if failure and failure.kind != "aws":
        kind = ReadTimeoutError if failure.kind == "timeout" else EndpointConnectionError
        url = client.meta.endpoint_url
        raise kind(endpoint_url=url, error=failure.message or failure.kind)
    status = 400 if failure else 200
    parsed = _error(failure) if failure else copy(answer.output or {})
    parsed.setdefault(
        "ResponseMetadata",
        {"RequestId": "explorer", "HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0},
    )
    client.meta.events.emit(
        f"after-call.{service.service_id.hyphenize()}.{operation}",
        http_response=AWSResponse(client.meta.endpoint_url, status, HTTPHeaders(), None),
        parsed=parsed,
        model=model,
        context=context,
    )
    if failure:
        raise client.exceptions.from_code(failure.code)(parsed, operation)
    return parsed


def _validated(client: Any, model: Any, parameters: Any) -> Any:
    """Return a plain copy of parameters, the same for equal ones; raises as botocore does.

    Most calls of a run have been made in one before, and to validate takes as long as all the rest.
    """
    try:
        written = marshal.dumps(parameters, 2)
    except ValueError:  # there are values that are not plain
        written = b""
    key = model.service_model.service_name, model.name, written
    if written and key in _seen:
        return _seen[key]
    if model.input_shape is not None and client.meta.config.parameter_validation:
        report = _validator.validate(parameters, model.input_shape)
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
    if len(_seen) >= _MAX_SEEN:
        _seen.clear()
    copied = plain(parameters)
    if written:
        _seen[key] = copied
    return copied


def _same(value: Any) -> Any:
    return value


def _error(failure: Failure) -> dict[str, Any]:
    error = {"Code": failure.code, "Message": failure.message}
    copied: dict[str, Any] = copy(failure.response)
    return {"Error": error, **copied}

"""Serve the page on this machine's loopback, and do what its buttons ask for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import uvicorn
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness import environment, flow
from harness.errors import UserError
from harness.failures import Message as Failed
from harness.ui.live import Live
from plumbing.publish import PublishError
from plumbing.untrusted import MalformedError, decode_json

PAGE = Path(__file__).with_name("page")
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

Done = Mapping[str, Any]


class Asked(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a button asks for."""

    scenario: str = ""
    service: str = ""
    order_id: str | None = None
    event: str | None = None


Endpoint = Callable[[Request], Awaitable[Response]]


def run(
    home: Path,
    prefix: str,
    port: int | None,
    overdue_seconds: float,
    show: Callable[[str], None],
) -> None:
    """Serve until a signal comes, and leave nothing in the environment; `show` gets the URL.

    Raises UserError when nothing runs under this home, or the port cannot be had.
    """
    environment.require(home, prefix)
    with _listen(port) as listening:
        address = "{}:{}".format(*listening.getsockname())
        live = Live(home, prefix, overdue_seconds)
        server = Server(uvicorn_config(app(live, address)), live.hang_up)
        show(f"http://{address}")
        try:
            asyncio.run(_serve(server, live, listening))
        finally:
            live.close()


def app(live: Live, address: str) -> Starlette:
    """Build the page's server, which responds to this address and to no other name."""
    page, styles = _page()
    files = {
        f"/{path.name}": _file(path.read_bytes(), TYPES[path.suffix])
        for path in PAGE.iterdir()
        if path.suffix in TYPES
    }
    served = Starlette(
        routes=[
            Route("/", _file(page, "text/html")),
            *(Route(path, endpoint) for path, endpoint in files.items()),
            Route("/live", _live(live)),
            Route("/orders/{order_id}", _timeline(live)),
            *(
                Route(path, _button(live, press), methods=["POST"])
                for path, press in BUTTONS.items()
            ),
        ],
        middleware=[Middleware(Guard, address=address, styles=styles)],
    )
    # A path with a slash too many is another's, and not to be sent elsewhere.
    served.router.redirect_slashes = False
    return served


def uvicorn_config(served: ASGIApp) -> uvicorn.Config:
    """Return uvicorn's settings: no log but of faults of ours, no lifespan, no server header."""
    return uvicorn.Config(
        served,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


class Server(uvicorn.Server):
    """Ends the pages' streams when it has to end: else it would wait for them."""

    def __init__(self, config: uvicorn.Config, hang_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._hang_up = hang_up

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self._hang_up()
        super().handle_exit(sig, frame)


class Guard:
    """Keeps other sites out: from reading by another name of this address, and from posting."""

    def __init__(self, app: ASGIApp, address: str, styles: str) -> None:
        self._app = app
        port = address.rpartition(":")[2]
        self._names = {address, f"localhost:{port}"}
        self._headers = {
            "content-security-policy": f"default-src 'self'; style-src 'self'{styles}; "
            "base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'",
            "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [
                    (name.encode(), value.encode()) for name, value in self._headers.items()
                ]
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        served = _problem(403, "Refused", refusal) if refusal else self._app
        await served(scope, receive, guarded)

    def _refusal(self, request: Request) -> str | None:
        host = request.headers.get("host", "")
        if host not in self._names:
            return "This page is for the machine that it runs on: open it by the URL it printed."
        origin = request.headers.get("origin")
        if request.method not in ("GET", "HEAD") and origin != f"http://{host}":
            return "Only the page itself may do this."
        return None


def _listen(port: int | None) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port or 0))
        listening.listen()  # from here on a browser that is early waits, and is not refused
    except OSError as error:
        listening.close()
        raise UserError(
            f"Port {port} cannot be had ({error.strerror}): give another with --port, or none."
        ) from error
    return listening


async def _serve(server: Server, live: Live, listening: socket.socket) -> None:
    async with live.following():
        await server.serve(sockets=[listening])


def _page() -> tuple[bytes, str]:
    """Return the page with the flow in it, and the hash that allows the flow's own styles."""
    drawn = flow.svg()
    styles = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
        for style in re.findall(r"<style[^>]*>(.*?)</style>", drawn, re.DOTALL)
    )
    page = (PAGE / "index.html").read_text().replace("<!-- the flow -->", drawn)
    return page.encode(), styles


def _file(content: bytes, media_type: str) -> Endpoint:
    async def respond(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return respond


def _live(live: Live) -> Endpoint:
    async def respond(request: Request) -> Response:
        return StreamingResponse(live.stream(), media_type="text/event-stream")

    return respond


def _timeline(live: Live) -> Endpoint:
    async def respond(request: Request) -> Response:
        try:
            return _json(200, await live.timeline(request.path_params["order_id"]))
        except UserError as error:
            return _problem(404, "Unknown order", str(error))

    return respond


async def _place(live: Live, asked: Asked) -> Done:
    order_id = await asyncio.to_thread(live.connection.place, asked.scenario)
    return {"words": f"Order {order_id} is placed: {asked.scenario}.", "orderId": order_id}


async def _burst(live: Live, asked: Asked) -> Done:
    placed = await asyncio.to_thread(live.connection.burst)
    return {"words": f"{placed} orders are placed."}


async def _redeliver(live: Live, asked: Asked) -> Done:
    event = live.watch.stored_event(asked.order_id, asked.event)
    if event is None:
        raise UserError("No event was seen yet that could be redelivered: place an order first.")
    await asyncio.to_thread(live.connection.publish, event)
    order_id = msgspec.json.decode(event.detail)["orderId"]
    return {
        "words": f"{event.detail_type} of order {order_id} was redelivered.",
        "orderId": order_id,
    }


async def _stop(live: Live, asked: Asked) -> Done:
    service = asked.service
    await asyncio.to_thread(live.connection.switch, service, on=False)
    live.status_changed()
    return {"words": f"{service} is stopped: its events are lost now, and its orders are stalled."}


async def _start(live: Live, asked: Asked) -> Done:
    service = asked.service
    await asyncio.to_thread(live.connection.switch, service, on=True)
    live.status_changed()
    return {"words": f"{service} is started. “Resume open orders” publishes what it missed."}


async def _resume(live: Live, asked: Asked) -> Done:
    resumed = await asyncio.to_thread(live.connection.resume)
    return {"words": f"{resumed} open orders are resumed."}


async def _redrive(live: Live, asked: Asked) -> Done:
    results = await asyncio.to_thread(live.connection.redrive)
    live.status_changed()
    stays = [one.stays for one in results if one.stays]
    redriven = f"{_counted(len(results) - len(stays))} redriven."
    rest = f" {len(stays)} stayed: {stays[0]}." if stays else ""
    return {"words": f"{redriven}{rest}"}


async def _failures(live: Live, asked: Asked) -> Done:
    messages, is_all = await asyncio.to_thread(live.connection.failures)
    more = "" if is_all else " More are leased by someone else: look again later."
    words = f"{_counted(len(messages))}.{more}"
    return {"words": words, "failures": [_failed(message) for message in messages]}


def _counted(events: int) -> str:
    return f"{events} failed event{'' if events == 1 else 's'}"


def _failed(message: Failed) -> Done:
    failure = message.failure
    return {
        "service": message.service,
        "event": failure.event,
        "orderId": failure.order_id,
        "kind": failure.kind,
        "reason": failure.reason,
        "since": message.since.timestamp() * 1000,
        "body": failure.payload.decode(errors="replace"),
    }


Press = Callable[[Live, Asked], Awaitable[Done]]
BUTTONS: Mapping[str, Press] = {
    "/do/place": _place,
    "/do/burst": _burst,
    "/do/redeliver": _redeliver,
    "/do/stop": _stop,
    "/do/start": _start,
    "/do/resume": _resume,
    "/do/redrive": _redrive,
    "/do/failures": _failures,
}


def _button(live: Live, press: Press) -> Endpoint:
    async def respond(request: Request) -> Response:
        try:
            asked = decode_json(await request.body() or b"{}", Asked)
            return _json(200, await press(live, asked))
        except MalformedError as error:
            return _problem(400, "Malformed request", f"Send a JSON object: {error}.")
        except ClientDisconnect:
            return _problem(400, "Malformed request", "The body has not come whole.")
        except UserError as error:
            return _problem(409, "Not done", str(error))
        except (BotoCoreError, ClientError, PublishError) as error:
            return _problem(502, "Not done", f"The environment refuses: {error}")

    return respond


def _json(status: int, content: object, media_type: str = "application/json") -> Response:
    return Response(msgspec.json.encode(content), status, media_type=media_type)


def _problem(status: int, title: str, detail: str) -> Response:
    problem = {"title": title, "status": status, "detail": detail}
    return _json(status, problem, "application/problem+json")

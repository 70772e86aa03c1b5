"""Something that listens where the orders' API should, and responds with what it is given."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Respond = Callable[[socket.socket], None]


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return an HTTP response, complete and correct."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def endless(head: bytes, piece: bytes) -> Respond:
    """Return what sends a beginning, and then a piece again and again until nobody listens."""

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return respond


@contextmanager
def listening(respond: bytes | Respond) -> Iterator[str]:
    """Respond to every connection meanwhile; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, respond))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, respond: bytes | Respond) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            if isinstance(respond, bytes):
                connection.recv(65536)
                connection.sendall(respond)
            else:
                respond(connection)
            # Otherwise what was not read of a request resets the connection.
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

"""Stand-ins for Lambda's Runtime API and for AWS, which respond at once and record when."""

from __future__ import annotations

import json
import queue
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import msgspec

from bench.contestants import FILES
from harness.errors import UserError

WAIT_SECONDS = 60.0


class Received(msgspec.Struct, frozen=True):
    """What a runtime client did, when (`time.perf_counter`), and what it sent."""

    did: str  # "next", "response", "error"
    at: float
    body: bytes = b""


class Server:
    """A server on a port of its own, in threads of this process."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        serving = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Handler(BaseHTTPRequestHandler):
    """Serves requests on connections that are kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Log no request."""

    def body(self) -> bytes:
        """Read the body of a request."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Return a request, in one packet: no delayed acknowledgement is to be measured."""
        lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)


class RuntimeApi(Server):
    """Lambda's Runtime API for one function at a time.

    Source: "Using the Lambda runtime API", AWS Lambda developer guide.
    """

    def __init__(self) -> None:
        received: queue.Queue[Received] = queue.Queue()
        events: queue.Queue[bytes | None] = queue.Queue()

        class Answering(Handler):
            def do_GET(self) -> None:
                received.put(Received("next", time.perf_counter()))
                event = events.get()
                if event is None:  # the function is ended while it waits
                    self.close_connection = True
                    return
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 20) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": (
                        "arn:aws:lambda:us-east-1:123456789012:function:function"
                    ),
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                }
                self.answer(200, event, headers)

            def do_POST(self) -> None:
                at = time.perf_counter()
                did = self.path.rpartition("/")[2]
                received.put(Received(did, at, self.body()))
                self.answer(202, b"{}")

        super().__init__(Answering)
        self._received, self._events = received, events

    def __exit__(self, *error: object) -> None:
        self._events.put(None)
        super().__exit__(*error)

    def wait_for(self, did: str, process: subprocess.Popen[bytes]) -> Received:
        """Wait until the function's client does this; raises UserError for another thing."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                received = self._received.get(timeout=0.5)
                break
            except queue.Empty:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise UserError(f"The function did not come to `{did}`.") from None
        if received.did != did:
            raise UserError(
                f"The function came to `{received.did}` instead of `{did}`: {received.body!r}"
            )
        return received

    def give(self, event: bytes) -> None:
        """Let the client that waits for an event have this one."""
        self._events.put(event)


class Aws(Server):
    """DynamoDB and EventBridge, over TLS as on AWS: every write is made, every event taken.

    GetItem returns `item`, in DynamoDB's own JSON.
    """

    def __init__(self) -> None:
        responses = {"PutEvents": b'{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}'}

        class Answering(Handler):
            def do_POST(self) -> None:
                operation = self.headers["X-Amz-Target"].rpartition(".")[2]
                self.body()
                kind = {"Content-Type": "application/x-amz-json-1.0"}
                self.answer(200, responses.get(operation, b"{}"), kind)

        super().__init__(Answering)
        self._responses = responses
        certificate, key = _certificate()
        self.certificate = certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self.port}"

    def store(self, item: Mapping[str, Any]) -> None:
        """Let GetItem return this item from now on."""
        self._responses["GetItem"] = json.dumps({"Item": item}).encode()

    def trusted_by(self, packages: Path | None) -> dict[str, str]:
        """Return the environment in which a function trusts this as it would trust AWS.

        Python reads all certificates of its bundle at the first call of each client, so that the
        bundle has to be that of its packages, with one more.
        """
        bundled = packages / "botocore" / "cacert.pem" if packages else None
        if bundled is None or not bundled.exists():
            return {"NODE_EXTRA_CA_CERTS": str(self.certificate)}
        bundle = FILES / "bundles" / f"{packages.name if packages else ''}.pem"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_text(f"{bundled.read_text()}\n{self.certificate.read_text()}")
        return {"AWS_CA_BUNDLE": str(bundle)}


def _certificate() -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key, unless that is done."""
    certificate, key = FILES / "certificate.pem", FILES / "key.pem"
    if not certificate.exists():
        FILES.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "3650"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
    return certificate, key

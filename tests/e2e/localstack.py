"""A stand-in for LocalStack: MiniStack, behind what answers as LocalStack does where they differ.

docs/localstack.md has the source of each difference.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlencode

import httpx

from harness.connect import http

HOST = "localhost.localstack.cloud"
API = re.compile(r"/_aws/execute-api/([^/]+)(/.*)?")
STAGE = "/$default"


@contextmanager
def localstack(emulator: str, *, needs_stage: bool = True) -> Iterator[str]:
    """Answer for an emulator meanwhile; yield the URL.

    Whether an API's URL that has its id in the path has to have the stage too is not public.
    """

    class Answering(LocalStack):
        backend = http(emulator)
        must_name_stage = needs_stage

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server, Answering.backend:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class LocalStack(BaseHTTPRequestHandler):
    """Passes every request on."""

    backend: ClassVar[httpx.Client]
    must_name_stage: ClassVar[bool]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"TemplateBody=" in body:
            body = _deployed(body)
        path = self._path()
        if path is None:
            text = b'{"message": "The API id does not correspond to a deployed API Gateway API"}'
            self._answer(404, {"Content-Type": "application/json"}, text)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        headers |= {"Content-Length": str(len(body)), "Accept-Encoding": "identity"}
        answer = self.backend.request(self.command, path, content=body, headers=headers)
        text = answer.content.replace(b".execute-api.localhost:", f".execute-api.{HOST}:".encode())
        self._answer(answer.status_code, answer.headers, text)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET  # noqa: N815

    def _path(self) -> str | None:
        """Return what MiniStack calls this path, or None where nothing is."""
        if not (called := API.fullmatch(unquote(self.path))):
            return self.path
        api_id, rest = called[1], called[2] or ""
        if not rest.startswith(f"{STAGE}/"):
            return None if self.must_name_stage else self.path
        return f"/_aws/execute-api/{api_id}{rest.removeprefix(STAGE)}"

    def _answer(self, status: int, headers: httpx.Headers | dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _deployed(body: bytes) -> bytes:
    """Return a request with the template as LocalStack's CloudFormation reads it."""
    request = {name: value for name, [value] in parse_qs(body.decode()).items()}
    template = json.loads(request["TemplateBody"].replace("${AWS::URLSuffix}", HOST))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            del resource["Properties"]["LoggingConfig"]
    return urlencode(request | {"TemplateBody": json.dumps(template)}).encode()

"""Makes every client and the environment of every program of ours.

The local environment sees no configuration of the person's: no proxy, no certificates, no profile
of AWS. It has to start on any machine. AWS, and another environment's API, see all of it.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import os
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.config import Config
from botocore.configprovider import ConstantProvider
from botocore.loaders import Loader
from botocore.session import Session

from harness.errors import UserError

REGION = "us-east-1"
# Runs a file of ours as the script `saga` runs the command itself.
PYTHON = (sys.executable, "-I", "-X", "utf8")
# More than any API of ours responds with.
MAX_BYTES = 2**20

# A run of the sweep takes up to 60 s; it is waited for, and no other is started beside it.
ONE_RUN = Config(read_timeout=90, retries={"total_max_attempts": 1})

# What a program of ours gets of the person's environment: where things are, and how to write.
# Node.js may be a shim of a version manager, which looks for its own files.
KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TERM", "COLUMNS", "LINES", "NO_COLOR"}
    | {"FORCE_COLOR"}
)
KEPT_BEGINNINGS = ("LC_", "ASDF_", "FNM_", "MISE_", "NODENV_", "NVM_", "VOLTA_")


@functools.cache
def session() -> boto3.Session:
    """Return a session with the credentials that emulators take, and no configuration but ours."""
    # botocore opens this file for plain HTTP too, which has no keys to log.
    os.environ.pop("SSLKEYLOGFILE", None)
    unset: dict[str, Any] = {
        name: (None, None, default, None)
        for name, (_, _, default, _) in Session.SESSION_VARIABLES.items()
    }
    nowhere = (None, None, os.devnull, None)
    # A bundle that is given, here botocore's own, is not looked for in the environment.
    bundle = (None, None, True, None)
    core = Session(
        unset | {"config_file": nowhere, "credentials_file": nowhere, "ca_bundle": bundle}
    )
    # These are read from the environment beside the session's variables.
    core.get_component("config_store").set_config_provider("s3", ConstantProvider(None))
    # Without the person's own models of AWS's APIs, in ~/.aws/models.
    builtin = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    core.register_component("data_loader", builtin)
    core.set_default_client_config(Config(proxies={}))
    return boto3.Session("test", "test", region_name=REGION, botocore_session=core)


def aws_session(region: str | None = None) -> boto3.Session:
    """Return a session on AWS by all that a person configured, AWS_REGION included.

    botocore itself knows only AWS_DEFAULT_REGION. A deployment's own region, in its settings, comes
    before that. Raises UserError without credentials or region.
    """
    with readable():
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
        if session.get_credentials() is None:
            raise UserError("There are no AWS credentials: log in to AWS or set AWS_PROFILE first.")
        if not session.region_name:
            raise UserError("No AWS region is chosen: set AWS_REGION to that of the deployment.")
        return session


@contextlib.contextmanager
def readable() -> Iterator[None]:
    """Raise UserError for a configuration of AWS that botocore cannot read."""
    try:
        yield
    except ValueError as error:  # a number that is none, which botocore raises as it comes
        raise UserError(
            f"The configuration of AWS cannot be read ({error}): correct the variables that begin "
            "with AWS_, or ~/.aws/config."
        ) from error


def http(base_url: str = "", *, timeout: float = 60, configured: bool = False) -> httpx.Client:
    """Make an HTTP client; with `configured`, as proxies and certificates of the person say.

    Raises UserError when these cannot be used.
    """
    if not configured:
        # It reads no certificates at all: the local environment speaks plain HTTP.
        no_bundle = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.Client(base_url=base_url, timeout=timeout, trust_env=False, verify=no_bundle)
    try:
        return httpx.Client(base_url=base_url, timeout=timeout)
    # A proxy that is no URL, or of a kind that takes another package; certificates not there.
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise UserError(
            f"The proxy or the certificates of your environment cannot be used ({error}): "
            "correct HTTPS_PROXY, ALL_PROXY, NO_PROXY or SSL_CERT_FILE."
        ) from error


def checked_url(text: str) -> str:
    """Return the URL of an API, without a slash at its end; raises ValueError when it is none."""
    try:
        url = httpx.URL(text)
        port = 80 if url.port is None else url.port
        right = url.scheme in ("http", "https") and bool(url.host) and 0 < port < 65536
    # What a URL cannot have, and what no encoding can.
    except (httpx.InvalidURL, ValueError, TypeError):
        right = False
    if not right or url.query or url.fragment or not text.isprintable() or " " in text:
        raise ValueError(f"give a URL such as http://127.0.0.1:4566, not {text or 'nothing'}")
    return text.rstrip("/")


def ask(
    client: httpx.Client,
    method: str,
    url: str,
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> httpx.Response:
    """Send a request and return its response, read as it comes, if it comes in time and is small.

    Whatever listens there may send anything, and never end. Raises httpx.HTTPError, also for that.
    """
    deadline = time.monotonic() + seconds
    wanted = {"Accept-Encoding": "identity", **(headers or {})}
    with client.stream(method, url, content=content, headers=wanted) as answer:
        body = b""
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                raise httpx.ReadError("the response does not end")
    # As they came, in whatever encoding; the body is taken as it is, whatever they call it.
    headers_as_sent = [one for one in answer.headers.raw if one[0].lower() != b"content-encoding"]
    return httpx.Response(answer.status_code, headers=headers_as_sent, content=body)


def is_on_this_machine(url: str) -> bool:
    """Return whether a URL is of this machine's loopback."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def environment() -> dict[str, str]:
    """Return the environment for a Python program of ours, to be added to."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_BEGINNINGS)
    }
    # Of a folder for temporary files that is not there, only Python makes light.
    return kept | {"TMPDIR": tempfile.gettempdir()}

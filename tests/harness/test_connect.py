"""The local environment sees no configuration of the person's, and AWS sees all of it."""

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.session import Session

from harness import connect
from harness.connect import aws_session, http, is_on_this_machine, session
from harness.emulator import ROOT
from harness.environment import Clients
from harness.errors import UserError

# Every variable that botocore reads, as it declares them, and those that it reads beside them.
DECLARED = {
    name
    for _, names, _, _ in Session.SESSION_VARIABLES.values()
    for name in ([names] if isinstance(names, str) else names or [])
}
BESIDE = {
    "AWS_S3_USE_ARN_REGION",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
    "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "BOTO_CONFIG",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "http_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "all_proxy",
}


class Answering(BaseHTTPRequestHandler):
    """Answers every request with an empty JSON object."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    session.cache_clear()
    yield monkeypatch
    session.cache_clear()


@pytest.mark.parametrize("odd", ["odd", " ", "socks5://127.0.0.1:9", "/nowhere/at/all"])
def test_no_variable_of_a_persons_shell_reaches_the_local_clients(
    fresh: pytest.MonkeyPatch, url: str, odd: str
) -> None:
    for name in DECLARED | BESIDE:
        fresh.setenv(name, odd)
    fresh.setenv("NO_PROXY", "localhost,[::1]")

    called = session().client("sqs", endpoint_url=url).list_queues()["ResponseMetadata"]
    with http(url) as client:
        fetched = client.get("/")

    assert called["HTTPStatusCode"] == 200
    assert fetched.json() == {}


@pytest.mark.parametrize(
    "config",
    [
        "[default\nregion",
        "[default]\nregion = eu-west-1\nretry_mode = odd\nca_bundle = /nowhere\n",
        "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true\nmax_attempts = x\n",
        "[default]\nignore_configured_endpoint_urls = true\nparameter_validation = odd\n",
    ],
    ids=["broken", "odd", "other endpoints", "ignored endpoints"],
)
def test_no_file_of_a_person_reaches_the_local_clients(
    fresh: pytest.MonkeyPatch, tmp_path: Path, url: str, config: str
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(config)
    (tmp_path / ".aws" / "credentials").write_text(config)
    fresh.setenv("HOME", str(tmp_path))

    client = session().client("sqs", endpoint_url=url)

    assert client.list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert client.meta.region_name == "us-east-1"


def test_a_persons_own_models_of_aws_are_not_those_of_the_local_clients(
    tmp_path: Path, url: str
) -> None:
    model = tmp_path / ".aws" / "models" / "sqs" / "2012-11-05"
    model.mkdir(parents=True)
    (model / "service-2.json").write_text("{}")
    program = (
        "from harness.connect import session; "
        f"print(session().client('sqs', endpoint_url={url!r}).list_queues().keys())"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (0, "dict_keys(['ResponseMetadata'])\n"), ran.stderr


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
    ],
)
def test_aws_is_in_the_region_that_a_person_chose(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], region: str
) -> None:
    _on_aws(monkeypatch, variables)

    assert aws_session().region_name == region


def test_without_a_region_the_message_is_how_to_choose_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _on_aws(monkeypatch, {})

    with pytest.raises(UserError, match="No AWS region is chosen: set AWS_REGION"):
        aws_session()


@pytest.mark.parametrize(
    "variable", ["AWS_MAX_ATTEMPTS", "AWS_METADATA_SERVICE_TIMEOUT", "AWS_CSM_PORT"]
)
def test_a_configuration_of_aws_that_cannot_be_read_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    _on_aws(monkeypatch, {"AWS_REGION": "eu-west-1", "AWS_CSM_ENABLED": "true", variable: "abc"})

    with pytest.raises(UserError, match=r"The configuration of AWS cannot be read \(.*'abc'\)"):
        _ = (Clients(aws_session()).client("sqs"), aws_session().get_credentials())


@pytest.mark.parametrize(
    "variables",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"HTTPS_PROXY": "ftp://127.0.0.1"},
        {"NO_PROXY": "localhost,[::1]"},
        {"SSL_CERT_FILE": "/nowhere.pem"},
    ],
)
def test_another_api_is_reached_as_a_person_configured_it_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(UserError, match=r"^The proxy or the certificates of your environment"):
        http("https://api.example", configured=True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566/x", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("https://a.execute-api.eu-west-1.amazonaws.com", False),
        ("http://localhost.example", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_loopback_is_this_machine(url: str, expected: bool) -> None:
    assert is_on_this_machine(url) is expected


def test_a_program_of_ours_is_given_nothing_that_changes_what_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    kept = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "VOLTA_HOME": "/v"}
    odd = ["PYTHONPATH", "NODE_OPTIONS", "http_proxy", "AWS_PROFILE", "SSL_CERT_FILE", "TMPDIR"]
    for name, value in {**kept, **dict.fromkeys(odd, "/nowhere")}.items():
        monkeypatch.setenv(name, value)

    given = connect.environment()

    assert Path(given.pop("TMPDIR")).is_dir()
    assert given == kept


def test_no_other_module_makes_a_client_or_passes_on_the_whole_environment() -> None:
    found = []
    for path in sorted((ROOT / "harness").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call):
                found += [
                    f"{path.relative_to(ROOT)}: {made}"
                    for made in (_makes_a_client(call), _passes_on(call))
                    if made
                ]

    assert found == [
        "harness/connect.py: botocore.session",
        "harness/connect.py: boto3.Session",
        "harness/connect.py: boto3.Session",
        "harness/connect.py: httpx.Client",
        "harness/connect.py: httpx.Client",
        "harness/images.py: os.environ | {'DOCKER_BUILDKIT': '1'}",
    ]


def _makes_a_client(call: ast.Call) -> str | None:
    name = ast.unparse(call.func)
    if name in ("Session", "get_session"):
        return "botocore.session"
    wanted = ("boto3.", "httpx.", "urllib.request.", "http.client.", "requests.")
    beside = ("httpx.Response", "httpx.ReadError", "httpx.URL")
    return name if name.startswith(wanted) and name not in beside else None


def _passes_on(call: ast.Call) -> str | None:
    [given] = [one.value for one in call.keywords if one.arg == "env"] or [ast.Constant(None)]
    return ast.unparse(given) if "os.environ" in ast.unparse(given) else None


def _on_aws(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": json.dumps("x")}
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**nowhere, **keys, **variables}.items():
        monkeypatch.setenv(name, value)

"""The settings of a deployment: one file, the same for whatever reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App

from harness.connect import PYTHON
from harness.emulator import ROOT
from infra import deployment
from infra.app import build_app
from infra.deployment import Deployment, DeploymentError, read

Write = Callable[[str], Deployment]

EVERYTHING = """
architecture = "arm64"
account = "111122223333"
region = "eu-central-1"
alarms_topic = "arn:aws:sns:eu-central-1:111122223333:pager"
requests_per_second = 5
burst = 10
reserved_concurrency = { charge_payment = 7 }
authorizer = { issuer = "https://id.example", audience = ["shop"] }
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that reads settings from the text of their file."""
    monkeypatch.setattr(deployment, "FOLDER", tmp_path)

    def write(text: str) -> Deployment:
        (tmp_path / "shop.toml").write_text(text)
        return read("shop")

    return write


def test_a_file_has_every_setting_and_its_name_is_the_prefix(write: Write) -> None:
    settings = write(EVERYTHING)

    assert settings.prefix == "shop"
    assert settings.reserved_concurrency == {"charge_payment": 7}
    assert [name for name in settings.__struct_fields__ if not getattr(settings, name)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("architecture = 'mips'", "Invalid enum value 'mips'"),
        ("architecure = 'arm64'", "unknown field `architecure`"),
        ("prefix", "cannot be read"),
        ("account = 111122223333", "Expected `str | null`, got `int`"),
        ("account = '1234'", "matching regex"),
        ("region = 'Frankfurt'", "matching regex"),
        ("alarms_topic = 'pager'", "matching regex"),
        ("alarms_topic = 'arn:aws:sns:'", "matching regex"),
        ('account = "111122223333\\n"', "matching regex"),
        ("prefix = 'other'", "the prefix is the name of the file"),
        (
            "region = 'eu-west-1'\nalarms_topic = 'arn:aws:sns:us-east-1:111122223333:pager'",
            "alarms notify only a topic of eu-west-1, their region",
        ),
        ("reserved_concurrency = { '../infra' = 5 }", "there is no service ../infra"),
        ("burst = 0", ">= 1"),
        ("reserved_concurrency = { charge_payment = 0 }", ">= 1"),
        ("reserved_concurrency = { charge-payment = 5 }", "there is no service charge-payment"),
        ("authorizer = { issuer = 'https://id.example' }", "missing required field `audience`"),
        ("authorizer = { issuer = 'id.example', audience = ['a'] }", "matching regex"),
    ],
)
def test_a_setting_that_is_not_right_is_named_with_its_file(
    write: Write, text: str, complaint: str
) -> None:
    with pytest.raises(DeploymentError) as refused:
        write(text)

    assert str(refused.value).startswith("infra/deployments/shop.toml")
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"# caf\xe9", b"burst = " + b"9" * 5000, b"x = " + b"[" * 9999]
)
def test_a_file_that_is_no_text_of_settings_is_named(
    write: Write, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bytes.toml").write_bytes(content)
    (tmp_path / "folder.toml").mkdir()

    for prefix in ("bytes", "folder"):
        with pytest.raises(DeploymentError, match=f"infra/deployments/{prefix}.toml cannot be"):
            read(prefix)


def test_a_file_may_begin_with_the_mark_of_its_encoding(write: Write) -> None:
    assert write("\ufeffburst = 3").burst == 3


def test_without_a_file_an_emulator_has_the_defaults_and_aws_nothing(write: Write) -> None:
    assert read("blue", required=False) == Deployment(prefix="blue")
    with pytest.raises(DeploymentError, match=r"There is no infra/deployments/blue\.toml"):
        read("blue")


def test_a_bus_that_every_account_has_is_no_prefix() -> None:
    with pytest.raises(DeploymentError, match="EventBridge has a bus `default` already"):
        read("default", required=False)


def test_the_file_of_this_repository_has_the_defaults() -> None:
    assert read("order-saga") == Deployment()


@pytest.mark.parametrize("key", ["prefix", "architecture", "alarms"])
def test_a_setting_that_would_hold_for_one_command_only_is_refused(key: str) -> None:
    with pytest.raises(DeploymentError, match=f"-c {key} would hold for one command only"):
        build_app(App(context={key: "any"}), Deployment())


def test_what_pip_needs_behind_a_network_of_ones_own_is_a_secret_of_builds_and_changes_nothing(
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "authority.pem"
    bundle.write_text("certificates")

    plain, behind = (
        _synthesized(tmp_path / name, **variables)
        for name, variables in (("plain", {}), ("behind", {"PIP_CERT": str(bundle)}))
    )

    for stack in plain.glob("*.template.json"):
        assert (behind / stack.name).read_bytes() == stack.read_bytes()
    secrets = [
        image["source"].pop("dockerBuildSecrets", None)
        for path in behind.glob("*.assets.json")
        for image in json.loads(path.read_text())["dockerImages"].values()
    ]
    assert secrets == [{"ca": f"src={bundle}"}] * 6


def test_what_is_not_there_is_one_sentence_of_the_app(tmp_path: Path) -> None:
    run = subprocess.run(
        [*PYTHON, str(ROOT / "infra/__main__.py")],
        env={**os.environ, "SAGA_PREFIX": "blue", "CDK_OUTDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr.splitlines()[-1]) == (
        1,
        "There is no infra/deployments/blue.toml: copy order-saga.toml beside it to that, "
        "or correct SAGA_PREFIX.",
    )


def _synthesized(folder: Path, **variables: str) -> Path:
    unset = {"PIP_CERT": "", "SSL_CERT_FILE": "", "SAGA_PREFIX": ""}
    subprocess.run(
        [sys.executable, "-I", str(ROOT / "infra/__main__.py")],
        env={**os.environ, **unset, **variables, "CDK_OUTDIR": str(folder)},
        check=True,
        capture_output=True,
    )
    return folder

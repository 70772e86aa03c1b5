"""A call that the image could not make is an error when the image is built, in words."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.emulator import ROOT
from harness.saga import SERVICES

IMAGE = ROOT / "plumbing" / "image"
LEFT_OUT = {"DeleteItem": "dynamodb", "Scan": "dynamodb", "PutRule": "events"}


@pytest.mark.parametrize("service", SERVICES)
def test_the_services_call_only_what_is_declared(tmp_path: Path, service: str) -> None:
    checked = _check(tmp_path, ROOT / "services" / service)

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        (
            'client = session.create_client("sqs")',
            "shop/client.py:1 makes a client of sqs, which the image does not have: declare its "
            "operations in OPERATIONS of the service's aws.py.",
        ),
        ('boto3.client("s3")', "shop/client.py:1 makes a client of s3, "),
        ('boto3.resource("s3")', "shop/client.py:1 makes a client of s3, "),
        ("session.create_client(name)", "shop/client.py:1 makes a client by a name that is not"),
        (
            "orders.delete_item(TableName=table)",
            "shop/client.py:1 calls delete_item, and the image has no dynamodb:DeleteItem: add "
            "DeleteItem to dynamodb in OPERATIONS of the service's aws.py.",
        ),
        ('orders.get_paginator("scan")', "shop/client.py:1 calls scan, and the image has no "),
    ],
)
def test_a_call_that_the_image_could_not_make_is_named_with_what_to_do(
    tmp_path: Path, code: str, finding: str
) -> None:
    service = _service(tmp_path, code)

    checked = _check(tmp_path, service)

    assert checked.returncode == 1
    assert checked.stderr.startswith(f"check.py: {finding}")


def test_a_service_declares_more_in_an_aws_py_of_its_own(tmp_path: Path) -> None:
    service = _service(tmp_path, 'session.create_client("sqs").send_message()')
    (service / "aws.py").write_text('OPERATIONS = {"sqs": ("SendMessage",)}')

    checked = _check(tmp_path, service)

    assert (checked.returncode, checked.stderr) == (0, "")


def _service(folder: Path, code: str) -> Path:
    service = folder / "shop"
    service.mkdir()
    (service / "client.py").write_text(code)
    return service


def _check(folder: Path, service: Path) -> subprocess.CompletedProcess[str]:
    (folder / "left-out.json").write_text(json.dumps(LEFT_OUT))
    return subprocess.run(
        [sys.executable, str(IMAGE / "check.py"), str(ROOT / "plumbing"), str(service)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

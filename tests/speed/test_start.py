"""What a cold start takes, in counts, which no slow or busy machine changes."""

import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.saga import SERVICES
from tests.world import settings

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_function_imports_no_more_than_botocore_msgspec_and_its_own(service: str) -> None:
    needed = ("botocore.session", "botocore.config", "msgspec.structs")
    imported = _import(service, *needed)["modules"]

    others = [module for module in imported if module.split(".")[0] not in (service, "plumbing")]
    assert others == ["gc"]


@pytest.mark.parametrize("service", SERVICES)
def test_garbage_collection_is_deferred_before_anything_large_is_imported(service: str) -> None:
    imported = _import(service)["modules"]

    assert imported.index("plumbing") < imported.index("botocore")


@pytest.mark.parametrize("service", SERVICES)
def test_a_function_reads_the_descriptions_of_what_it_calls_once(service: str) -> None:
    read = _import(service)["descriptions"]

    assert len(read) == len(set(read))
    # What botocore reads of all services together, whichever is called.
    of_all = ["endpoints.json", "partitions.json", "sdk-default-configuration.json"]
    called = {file.split("/")[0] for file in read if file not in of_all}
    assert called == (
        {"dynamodb", "events"} - ({"events"} if _publishes_nothing(service) else set())
    )


@functools.cache
def _import(service: str, *first: str) -> Any:
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("imported.py")), service, *first],
        env=os.environ
        | CREDENTIALS
        | settings(service)
        | {"PYTHONPATH": f"{ROOT}:{ROOT / 'services'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def _publishes_nothing(service: str) -> bool:
    handler = ROOT / "services" / service / "handler.py"
    return not re.search(r"\bpublisher\(", handler.read_text())

"""What is pinned: the base image, and that the bot which renews it misses no version."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.emulator import ROOT

BASE = re.compile(r"public\.ecr\.aws/lambda/python:[^\s}]*")
DIGEST = re.compile(r"public\.ecr\.aws/lambda/python:3\.13@sha256:[0-9a-f]{64}")
ASKED = "buildx imagetools inspect --format {{.Manifest.Digest}} public.ecr.aws/lambda/python:3.13"


def test_every_service_and_compose_have_the_same_base_by_its_digest() -> None:
    files = [*sorted(ROOT.glob("services/*/Dockerfile")), ROOT / "compose.yaml"]

    named = {path: BASE.findall(path.read_text()) for path in files}

    assert {len(names) for names in named.values()} == {1}
    [base] = {name for names in named.values() for name in names}
    assert DIGEST.fullmatch(base)


def test_the_base_image_is_renewed_everywhere_by_one_command(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$*" = "{ASKED}" ] && echo {digest}\n')
    docker.chmod(0o755)
    files = [*ROOT.glob("services/*/Dockerfile"), ROOT / "compose.yaml", ROOT / "Makefile"]
    for path in files:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())

    subprocess.run(
        ["make", "pin-base"],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=True,
    )

    changed = [path for path in files if digest in (tmp_path / path.relative_to(ROOT)).read_text()]
    assert changed == files[:-1]


MANAGERS = json.loads((ROOT / "renovate.json").read_text())["customManagers"]


@pytest.mark.parametrize("manager", MANAGERS, ids=lambda manager: str(manager["description"]))
def test_the_bot_looks_into_every_file_with_a_version_that_no_manager_of_its_own_knows(
    manager: Mapping[str, Any],
) -> None:
    [pattern] = manager["matchStrings"]
    version = re.compile(pattern.replace("(?<", "(?P<"))
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.yaml", "Makefile", ".ci/run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    written = {name for name in listed if version.search((ROOT / name).read_text())}
    looked = [re.compile(one.strip("/")) for one in manager["managerFilePatterns"]]

    assert written
    assert {name for name in written if not any(one.search(name) for one in looked)} == set()


def test_the_bot_merges_nothing_by_itself() -> None:
    text = (ROOT / "renovate.json").read_text()

    assert re.findall(r'"(?:platformA|a)utomerge\w*": *(\w+)', text) == ["false"]


@pytest.mark.parametrize(
    "file",
    sorted(
        str(path.relative_to(ROOT))
        for folder in ("requirements", "services", "bench/peers")
        for path in (ROOT / folder).rglob("*.in")
    ),
)
def test_what_an_in_file_pins_its_txt_file_has(file: str) -> None:
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", (ROOT / file).read_text(), re.MULTILINE)
    compiled = (ROOT / file).with_suffix(".txt")

    if compiled.exists():  # service.in is a part of others
        text = compiled.read_text()
        assert [pin for pin in pins if "{}=={} ".format(*pin) not in text] == []

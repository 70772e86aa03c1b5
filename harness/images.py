"""Build the services' images as the CDK would, under the full names that its template gives them.

An emulator takes the names for images that were pushed to a registry, finds them in the local
engine, and runs the very template that goes to AWS.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.connect import REGION
from harness.emulator import LOCALSTACK_HOST, ROOT
from harness.errors import UserError
from infra.deployment import certificates

ACCOUNT = "000000000000"
REPOSITORY = f"cdk-hnb659fds-container-assets-{ACCOUNT}-{REGION}"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
ENGINE_SECONDS = 30
OTHERWISE = (
    "start it, name another by DOCKER_HOST or `docker context use`, or go without it by `make demo`"
)


class Image(msgspec.Struct, frozen=True):
    """One service's image: what it is built from, and what the template calls it."""

    service: str
    folder: Path
    name: str
    platform: str

    @property
    def names(self) -> tuple[str, str]:
        """What the template calls it on AWS and MiniStack, and on LocalStack."""
        return self.name, self.name.replace("amazonaws.com", LOCALSTACK_HOST)


def images(assembly: Path) -> Iterator[Image]:
    """Yield the images of a synthesized app."""
    for path in sorted(assembly.glob("*.assets.json")):
        for asset in json.loads(path.read_text())["dockerImages"].values():
            [destination] = asset["destinations"].values()
            yield Image(
                asset["displayName"],
                assembly / asset["source"]["directory"],
                f"{REGISTRY}/{REPOSITORY}:{destination['imageTag']}",
                asset["source"]["platform"],
            )


def engine_problem() -> str | None:
    """Return in one sentence why there is no Docker engine to use, or None when there is one."""
    if shutil.which("docker") is None:
        return "There is no docker command: install Docker, or go without it by `make demo`."
    try:
        asked = _docker("version", "--format", "{{.Server.Version}}", seconds=ENGINE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"The Docker engine at {engine_host()} does not answer: {OTHERWISE}."
    if asked.returncode == 0:
        return None
    if "unable to resolve" in asked.stderr or "unable to parse" in asked.stderr:
        return f"Correct DOCKER_HOST, DOCKER_CONTEXT or docker's context: {_reason(asked.stderr)}"
    if "permission denied" in asked.stderr.lower():
        return (
            f"This user may not use the Docker engine at {engine_host()}: add it to the group of "
            "that socket (mostly docker), log in again."
        )
    return f"No Docker engine responds at {engine_host()}: {OTHERWISE}."


def engine_host() -> str:
    """Return where the docker command looks for its engine: DOCKER_HOST, or its context's host."""
    asked = _docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    return asked.stdout.strip() or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@functools.cache
def bases() -> Mapping[str, str]:
    """Return LAMBDA_BASE, to build images on, and what else compose/bases prints.

    From the environment where it is named there; else the public base, or its stand-in, which is
    made now, where no registry can be reached.
    """
    if os.environ.get("LAMBDA_BASE"):
        return os.environ
    run = subprocess.run(
        [str(ROOT / "compose" / "bases"), "--if-needed"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        raise UserError(
            "There is no base image to build on: see the messages of compose/bases above."
        )
    return dict(line.split("=", 1) for line in run.stdout.splitlines())


def build_missing(
    assembly: Path, services: Sequence[str], report: Callable[[str], None], root: Path = ROOT
) -> None:
    """Build the images of these services of a tree that the engine does not have."""
    missing = [i for i in images(assembly) if i.service in services and not is_there(i)]
    base = bases()["LAMBDA_BASE"] if missing else ""
    for image in missing:
        report(f"Building {image.service}")
        build(image, base, root=root)


def is_there(image: Image) -> bool:
    """Return whether the engine has an image, by all its names."""
    return _docker("image", "inspect", *image.names).returncode == 0


def build(image: Image, base: str, *, short_name: bool = True, root: Path = ROOT) -> None:
    """Build an image on this base, under its names and its short one.

    Raises UserError with the last line of the step that fails.
    """
    # Where TLS goes through an authority of the network's own, pip needs its certificates.
    bundle = certificates()
    secret = ["--secret", f"id=ca,src={bundle}"] if bundle else []
    built = _docker(
        "build",
        "--platform",
        image.platform,
        "--build-arg",
        f"BASE={base}",
        "--build-context",
        f"plumbing={root / 'plumbing'}",
        *secret,
        *(f"--tag={name}" for name in image.names),
        *(["--tag", f"order-saga/{image.service}"] if short_name else []),
        "--progress",
        "plain",
        str(image.folder),
    )
    if built.returncode:
        raise UserError(f"The image of {image.service} does not build: {_reason(built.stderr)}")


def _docker(*arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=seconds,
        env=os.environ | {"DOCKER_BUILDKIT": "1"},
    )


def _reason(text: str) -> str:
    """Return the last line that a step wrote, or else Docker's own last line."""
    steps = re.findall(r"^#\d+ \d+\.\d+ (.+)$", text, re.MULTILINE)
    lines = steps or [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "docker gives no reason"

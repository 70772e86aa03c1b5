"""The local environment: an emulator with everything deployed and stock in the inventory."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.exceptions import ClientError

from harness import deploy, emulator, images
from harness.emulator import ROOT, Emulator
from harness.errors import UserError
from harness.names import PREFIX, stack_name
from harness.saga import SERVICES
from harness.stock import SEED_STOCK, Stock

HOME = Path(os.environ.get("SAGA_FILES", ROOT / ".saga"))

Report = Callable[[str], None]


class Environment(msgspec.Struct, frozen=True):
    """A running environment: the URLs of AWS's APIs and of the orders' API, and its process."""

    endpoint: str
    api_url: str
    emulator: Emulator | None = None  # a process of this machine, if it is one
    images: bool = False  # functions run as containers of their images, not as processes
    prefix: str = PREFIX

    @property
    def stock(self) -> Stock:
        """The units per SKU."""
        return Stock(self.endpoint, self.prefix)


@dataclass(frozen=True)
class Clients:
    """Makes the clients of AWS's APIs for one deployment: on an emulator, or on AWS itself."""

    session: boto3.Session
    endpoint: str | None = None
    prefix: str = PREFIX

    def client(self, name: str) -> Any:
        """Return a client of the API of this name."""
        return self.session.client(name, endpoint_url=self.endpoint)  # type: ignore[call-overload]


def find(home: Path, prefix: str = PREFIX) -> Environment | None:
    """Return the environment that runs under this home, or None.

    Raises UserError when it is deployed with another prefix.
    """
    environment = started(home)
    if environment is None:
        return _in_containers(prefix) if home == HOME else None
    if environment.prefix != prefix:
        raise UserError(
            f"The environment that runs here is deployed as {environment.prefix}, not {prefix}: "
            f"add --prefix {environment.prefix}, or use another with --home."
        )
    return environment


def started(home: Path) -> Environment | None:
    """Return the environment that was started under this home and runs, of any prefix, or None."""
    try:
        environment = msgspec.json.decode(_state(home).read_bytes(), type=Environment)
    except (FileNotFoundError, msgspec.DecodeError):
        return None  # nothing was started here, or it was stopped
    gone = environment.emulator is not None and not environment.emulator.lives()
    return None if gone else environment


def was_stopped(home: Path) -> bool:
    """Return whether `down` ended what ran here."""
    return not _state(home).exists()


def require(home: Path, prefix: str = PREFIX) -> Environment:
    """Return the environment that runs under this home; raises UserError when none does."""
    environment = find(home, prefix)
    if environment is None:
        raise UserError("No environment is running: start one with `saga up` (or `make up`).")
    return environment


def clients(home: Path, *, on_aws: bool, prefix: str = PREFIX) -> Clients:
    """Return the clients for what runs under this home, or for AWS by a person's own credentials.

    Raises UserError when nothing runs, or when AWS has no credentials or region.
    """
    if not on_aws:
        return Clients(deploy.session(), require(home, prefix).endpoint, prefix)
    session = boto3.Session()
    if session.get_credentials() is None:
        raise UserError("There are no AWS credentials: log in to AWS or set AWS_PROFILE first.")
    if session.region_name is None:
        raise UserError(
            "No AWS region is chosen: set AWS_DEFAULT_REGION to that of the deployment."
        )
    return Clients(session, prefix=prefix)


def up(
    home: Path, port: int | None, report: Report, prefix: str = PREFIX
) -> tuple[Environment, Emulator]:
    """Start, deploy and stock; raises UserError, with nothing left running, when that fails."""
    with _alone(home):
        if find(home, prefix):
            raise UserError("An environment is running already: see `saga up`, or `saga down`.")
        report("Starting the emulator")
        process = emulator.start(home, port)
        try:
            environment = provision(process.url, report, prefix)
            environment = msgspec.structs.replace(environment, emulator=process)
            _state(home).write_bytes(msgspec.json.encode(environment))
        except BaseException:
            emulator.stop(process)
            raise
        return environment, process


def provision(
    endpoint: str, report: Report, prefix: str = PREFIX, *, as_images: bool = False
) -> Environment:
    """Deploy everything to an emulator that runs, and add the seed stock."""
    report("Synthesizing the CDK app")
    assembly = deploy.synthesize(HOME, prefix)
    if as_images:
        images.build_missing(assembly, SERVICES, report)
    for part in ["platform", *SERVICES]:
        stack = stack_name(part, prefix)
        report(f"Deploying {stack}")
        deploy.deploy(endpoint, assembly, stack, prefix=prefix, as_images=as_images)
    report("Adding the seed stock")
    Stock(endpoint, prefix).seed(SEED_STOCK)
    return Environment(endpoint, deploy.api_url(endpoint, prefix), images=as_images, prefix=prefix)


def known(services: list[str]) -> list[str]:
    """Return the names of these services; raises UserError when there is no such one."""
    spelt = [service.replace("-", "_") for service in services]
    unknown = [service for service in spelt if service not in SERVICES]
    if unknown:
        raise UserError(
            f"There is no service {', '.join(unknown)}: name one of {', '.join(SERVICES)}."
        )
    return spelt


def deploy_again(home: Path, services: list[str], report: Report, prefix: str = PREFIX) -> None:
    """Deploy these services, or everything when none is named, while the rest keeps running."""
    services = known(services)
    running = require(home, prefix)
    with _alone(home):
        report("Synthesizing the CDK app")
        assembly = deploy.synthesize(HOME, prefix)
        if running.images:
            images.build_missing(assembly, services or SERVICES, report)
        for part in services or ["platform", *SERVICES]:
            stack = stack_name(part, prefix)
            report(f"Deploying {stack}")
            deploy.deploy(
                running.endpoint, assembly, stack, prefix=prefix, as_images=running.images
            )


def down(home: Path) -> bool:
    """Stop what runs under this home, of whatever prefix; return whether anything did."""
    environment = started(home)
    # First the file, so that a `saga up` that stays sees that this end was wanted.
    _state(home).unlink(missing_ok=True)
    if environment and environment.emulator:
        emulator.stop(environment.emulator)
    orphans = emulator.end_orphans(home)
    shutil.rmtree(home / "tmp", ignore_errors=True)
    return environment is not None or orphans


def _in_containers(prefix: str) -> Environment | None:
    """Return the environment that docker compose runs, or None."""
    endpoint = os.environ.get("SAGA_ENDPOINT") or f"http://127.0.0.1:{_compose_port()}"
    if not emulator.answers(endpoint):
        return None
    try:
        return Environment(endpoint, deploy.api_url(endpoint, prefix), images=True, prefix=prefix)
    # An emulator of somebody else, or ours before all is deployed.
    except (ClientError, KeyError):
        return None


def _compose_port() -> str:
    """Return the port that docker compose publishes, as .env or the environment has it."""
    file = ROOT / ".env"
    lines = file.read_text().splitlines() if file.exists() else []
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    return os.environ.get("EMULATOR_PORT") or settings.get("EMULATOR_PORT") or "4566"


def _state(home: Path) -> Path:
    return home / "environment.json"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let only one command at a time change what runs under this home."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "Another saga command is starting or deploying here: wait until it is done."
            ) from error
        yield

"""The local environment: an emulator with everything deployed and the shelves stocked."""

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
from harness.stock import Stock
from harness.trouble import Trouble

HOME = Path(os.environ.get("SAGA_FILES", ROOT / ".saga"))
SHELVES = {"COFFEE": 100_000, "TEA": 100_000, "LAST-ONE": 1, "OUT-OF-STOCK": 0}

Tell = Callable[[str], None]


class Environment(msgspec.Struct, frozen=True):
    """A running environment: where AWS's APIs and the orders' API answer, and what serves them."""

    endpoint: str
    api_url: str
    emulator: Emulator | None = None  # a process of this machine, if it is one
    images: bool = False  # functions run as containers of their images, not as processes

    @property
    def stock(self) -> Stock:
        """The units per SKU."""
        return Stock(self.endpoint)


@dataclass(frozen=True)
class Clients:
    """Makes the clients of AWS's APIs: those of an emulator, or AWS itself."""

    session: boto3.Session
    endpoint: str | None = None

    def client(self, name: str) -> Any:
        """Answer a client of the API of this name."""
        return self.session.client(name, endpoint_url=self.endpoint)  # type: ignore[call-overload]


def find(home: Path) -> Environment | None:
    """Answer the environment that runs under this home, or None."""
    try:
        environment = msgspec.json.decode(_state(home).read_bytes(), type=Environment)
        if environment.emulator is None or environment.emulator.lives():
            return environment
    except (FileNotFoundError, msgspec.DecodeError):
        pass  # nothing was started here, or it was stopped
    return _in_containers() if home == HOME else None


def was_stopped(home: Path) -> bool:
    """Tell whether `down` ended what ran here."""
    return not _state(home).exists()


def require(home: Path) -> Environment:
    """Answer the environment that runs under this home; raises Trouble when none does."""
    environment = find(home)
    if environment is None:
        raise Trouble("No environment is running: start one with `saga up` (or `make up`).")
    return environment


def clients(home: Path, *, on_aws: bool) -> Clients:
    """Answer the clients for what runs under this home, or for AWS by a person's own credentials.

    Raises Trouble when nothing runs, or when AWS has no credentials or region.
    """
    if not on_aws:
        return Clients(deploy.session(), require(home).endpoint)
    session = boto3.Session()
    if session.get_credentials() is None:
        raise Trouble("There are no AWS credentials: log in to AWS or set AWS_PROFILE first.")
    if session.region_name is None:
        raise Trouble("No AWS region is chosen: set AWS_DEFAULT_REGION to that of the deployment.")
    return Clients(session)


def up(home: Path, port: int | None, tell: Tell) -> tuple[Environment, Emulator]:
    """Start, deploy and stock; raises Trouble, with nothing left running, when that fails."""
    with _alone(home):
        if find(home):
            raise Trouble("An environment is running already: see `saga up`, or `saga down`.")
        tell("Starting the emulator")
        started = emulator.start(home, port)
        try:
            environment = furnish(started.url, tell)
            environment = msgspec.structs.replace(environment, emulator=started)
            _state(home).write_bytes(msgspec.json.encode(environment))
        except BaseException:
            emulator.stop(started)
            raise
        return environment, started


def furnish(endpoint: str, tell: Tell, *, as_images: bool = False) -> Environment:
    """Deploy everything to an emulator that runs, and stock the shelves."""
    tell("Synthesizing the CDK app")
    assembly = deploy.synthesize(HOME)
    if as_images:
        images.build_missing(assembly, deploy.SERVICES, tell)
    for stack in [deploy.PLATFORM, *map(deploy.stack_name, deploy.SERVICES)]:
        tell(f"Deploying {stack}")
        deploy.deploy(endpoint, assembly, stack, as_images=as_images)
    tell("Stocking the shelves")
    Stock(endpoint).open(SHELVES)
    return Environment(endpoint, deploy.api_url(endpoint), images=as_images)


def known(services: list[str]) -> list[str]:
    """Answer these services as they are spelt; raises Trouble when there is no such one."""
    spelt = [service.replace("-", "_") for service in services]
    unknown = [service for service in spelt if service not in deploy.SERVICES]
    if unknown:
        raise Trouble(
            f"There is no service {', '.join(unknown)}: name one of {', '.join(deploy.SERVICES)}."
        )
    return spelt


def deploy_again(home: Path, services: list[str], tell: Tell) -> None:
    """Deploy these services, or everything when none is named, while the rest keeps running."""
    services = known(services)
    running = require(home)
    with _alone(home):
        tell("Synthesizing the CDK app")
        assembly = deploy.synthesize(HOME)
        if running.images:
            images.build_missing(assembly, services or deploy.SERVICES, tell)
        stacks = [deploy.stack_name(service) for service in services or deploy.SERVICES]
        for stack in stacks if services else [deploy.PLATFORM, *stacks]:
            tell(f"Deploying {stack}")
            deploy.deploy(running.endpoint, assembly, stack, as_images=running.images)


def down(home: Path) -> bool:
    """Stop what runs under this home; answers whether anything did."""
    environment = find(home)
    # First the file, so that a `saga up` that stays sees that this end was wanted.
    _state(home).unlink(missing_ok=True)
    if environment and environment.emulator:
        emulator.stop(environment.emulator)
    orphans = emulator.end_orphans(home)
    shutil.rmtree(home / "tmp", ignore_errors=True)
    return environment is not None or orphans


def _in_containers() -> Environment | None:
    """Answer the environment that docker compose runs, or None."""
    endpoint = os.environ.get("SAGA_ENDPOINT") or f"http://127.0.0.1:{_compose_port()}"
    if not emulator.answers(endpoint):
        return None
    try:
        return Environment(endpoint, deploy.api_url(endpoint), images=True)
    # An emulator of somebody else, or ours before all is deployed.
    except (ClientError, KeyError):
        return None


def _compose_port() -> str:
    """Answer the port that docker compose publishes, as .env or the environment has it."""
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
            raise Trouble(
                "Another saga command is starting or deploying here: wait until it is done."
            ) from error
        yield

"""The local environment: an emulator with everything deployed and stock in the inventory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import msgspec
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from dotenv import dotenv_values

from harness import cdk, connect, deploy, emulator, images
from harness.emulator import ROOT, Emulator
from harness.errors import UserError
from harness.names import PREFIX, stack_name
from harness.saga import FIRST_DEPLOYMENT, SERVICES
from harness.stock import SEED_STOCK, Stock
from infra import deployment
from infra.deployment import Deployment

HOME = Path(os.environ.get("SAGA_FILES") or ROOT / ".saga").absolute()

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
        return Stock(Clients(connect.session(), self.endpoint, self.prefix))


@dataclass(frozen=True)
class Clients:
    """Makes the clients of AWS's APIs for one deployment: on an emulator, or on AWS itself."""

    session: boto3.Session
    endpoint: str | None = None
    prefix: str = PREFIX

    def client(self, name: str, config: Config | None = None) -> Any:
        """Return a client of the API of this name."""
        with connect.readable():
            return self.session.client(name, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]

    @property
    def where(self) -> str:
        """Return what a person calls this deployment, before something happens to it."""
        if self.endpoint:
            return f"{self.prefix} at {self.endpoint}"
        return f"{self.prefix} on AWS, account {self.account}, {self.session.region_name}"

    @property
    def account(self) -> str:
        """The account whose credentials these are."""
        return str(self.client("sts").get_caller_identity()["Account"])


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
    environment = _noted(home)
    if environment is None:
        return None
    gone = environment.emulator is not None and not environment.emulator.lives(home)
    return None if gone else environment


def note(home: Path, environment: Environment) -> None:
    """Write down what runs under this home, for other commands to find."""
    # Beside, then renamed: others read it at any time.
    beside = _state(home).with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(environment))
    beside.rename(_state(home))


def is_noted(home: Path, environment: Environment) -> bool:
    """Return whether it is this one that was started here last, and `down` did not end it."""
    return _noted(home) == environment


def _noted(home: Path) -> Environment | None:
    try:
        return msgspec.json.decode(_state(home).read_bytes(), type=Environment)
    except (FileNotFoundError, msgspec.DecodeError):
        return None  # nothing was started here, or it was stopped


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
        return Clients(connect.session(), require(home, prefix).endpoint, prefix)
    settings = settings_of(prefix)
    found = Clients(connect.aws_session(settings.region), prefix=prefix)
    if settings.account and found.account != settings.account:
        raise UserError(
            f"{prefix} is in the account {settings.account}, and you are logged in to "
            f"{found.account}: log in there, or correct infra/deployments/{prefix}.toml."
        )
    return found


def up(
    home: Path, port: int | None, report: Report, prefix: str = PREFIX
) -> tuple[Environment, Emulator]:
    """Start, deploy and stock; raises UserError, with nothing left running, when that fails."""
    with explained(home), alone(home):
        if find(home, prefix):
            raise UserError("An environment is running already: see `saga up`, or `saga down`.")
        report("Starting the emulator")
        process = emulator.start(home, port)
        try:
            environment = provision(process.url, report, prefix, files=_shared_files(home))
            environment = msgspec.structs.replace(environment, emulator=process)
            note(home, environment)
        except BaseException:
            emulator.stop(process)
            raise
        return environment, process


@contextmanager
def explained(home: Path) -> Iterator[None]:
    """Make one sentence of what fails meanwhile when an environment ends or refuses a call.

    Raises UserError. It can end at any time: by `saga down` elsewhere, or killed.
    """
    try:
        yield
    except (exceptions.ConnectionError, exceptions.HTTPClientError, httpx.HTTPError) as error:
        logged = f" Its log ends with: {last}" if (last := emulator.last_line(home)) else ""
        raise UserError(
            f"The environment has ended, or does not respond ({error}): "
            f"`saga up` starts one.{logged}"
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"The environment refuses a call: {error}") from error
    except OSError as error:
        # One that belongs to no file, or to none of ours, is no matter of the environment.
        path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str) else None
        if path is None or not {home, HOME} & {path, *path.parents}:
            raise
        raise UserError(
            f"{path} cannot be used ({error.strerror}): give a folder that you may write to "
            "with --home, or SAGA_FILES."
        ) from error


def provision(
    endpoint: str,
    report: Report,
    prefix: str = PREFIX,
    *,
    as_images: bool = False,
    files: Path | None = None,
) -> Environment:
    """Deploy everything to an emulator that runs, and add the seed stock.

    What is synthesized is kept under `files`, HOME where it is None.
    """
    report("Synthesizing the CDK app")
    assembly = deploy.synthesize(files or HOME, prefix)
    if as_images:
        images.build_missing(assembly, SERVICES, report)
    for part in ["platform", *FIRST_DEPLOYMENT]:
        stack = stack_name(part, prefix)
        report(f"Deploying {stack}")
        deploy.deploy(endpoint, assembly, stack, prefix=prefix, as_images=as_images)
    report("Adding the seed stock")
    provisioned = Environment(
        endpoint, deploy.api_url(endpoint, prefix), images=as_images, prefix=prefix
    )
    provisioned.stock.seed(SEED_STOCK)
    return provisioned


def _shared_files(home: Path) -> Path:
    """Return where all homes share what is synthesized, or this home in a read-only repository."""
    try:
        HOME.mkdir(parents=True, exist_ok=True)
    except OSError:
        return home
    return HOME if os.access(HOME, os.W_OK) else home


def known(services: list[str]) -> list[str]:
    """Return the names of these services; raises UserError when there is no such one."""
    spelt = [service.replace("-", "_") for service in services]
    unknown = [service for service in spelt if service not in SERVICES]
    if unknown:
        raise UserError(
            f"There is no service {', '.join(unknown)}: name one of {', '.join(SERVICES)}."
        )
    return spelt


def deploy_again(
    home: Path, parts: Sequence[str], report: Report, prefix: str = PREFIX, root: Path = ROOT
) -> None:
    """Deploy these parts of the tree `root` in this order, while the rest keeps running.

    A part is a service, or the `platform`.
    """
    running = require(home, prefix)
    with alone(home):
        report("Synthesizing the CDK app")
        files = _shared_files(home) if root == ROOT else root
        assembly = deploy.synthesize(files, prefix, root=root)
        if running.images:
            images.build_missing(assembly, parts, report, root)
        for part in parts:
            stack = stack_name(part, prefix)
            report(f"Deploying {stack}")
            deploy.deploy(
                running.endpoint,
                assembly,
                stack,
                prefix=prefix,
                as_images=running.images,
                root=root,
            )


def deploy_to_aws(
    parts: Sequence[str], report: Report, prefix: str, root: Path, options: Sequence[str]
) -> Iterator[str]:
    """Deploy these parts of the tree `root` in this order, by a person's own credentials.

    `options` are those of the CDK's own command.

    Yield the services that are deployed there and in the app no longer.
    """
    settings_of(prefix, required=True)
    # First, because the CDK takes a region of its own where none is chosen.
    cloudformation = clients(HOME, on_aws=True, prefix=prefix).client("cloudformation")
    files = HOME / "aws" if root == ROOT else root
    assembly = deploy.synthesize(files, prefix, root=root, to_aws=True)
    stacks = [stack_name(part, prefix) for part in parts]
    cdk.deploy(assembly, stacks, report, options)
    yield from cdk.left_over(cloudformation, prefix, SERVICES)


def settings_of(prefix: str, *, required: bool = False) -> Deployment:
    """Return the settings of a deployment; raises UserError, also without any if `required`."""
    try:
        return deployment.read(prefix, required=required)
    except deployment.DeploymentError as error:
        raise UserError(str(error)) from error


def down(home: Path) -> bool:
    """Stop what runs under this home, of whatever prefix; return whether anything did."""
    environment = started(home)
    # First the file, so that a `saga up` that stays sees that this end was wanted.
    _state(home).unlink(missing_ok=True)
    if environment and environment.emulator:
        emulator.stop(environment.emulator)
    orphans = emulator.end_orphans(home)
    emulator.remove_files(home)
    return environment is not None or orphans


def demo_home(home: Path) -> Path:
    """Return the home of this home's demo, which runs beside whatever else runs."""
    return home / "demo"


def down_demo(home: Path) -> bool:
    """Stop what a killed demo left behind; one that still goes on ends by itself.

    Return whether there was anything to stop.
    """
    of_demo = demo_home(home)
    if not of_demo.exists():
        return down(of_demo)
    try:
        with alone(of_demo, "demo"):
            return down(of_demo)
    except Busy:
        return False


def _in_containers(prefix: str) -> Environment | None:
    """Return the environment that docker compose runs, or None."""
    endpoint = compose_endpoint()
    if not emulator.answers(endpoint):
        return None
    try:
        return Environment(endpoint, deploy.api_url(endpoint, prefix), images=True, prefix=prefix)
    # An emulator of somebody else, or ours before all is deployed.
    except (ClientError, KeyError, ValueError, ResponseParserError):
        return None


def compose_endpoint() -> str:
    """Return where docker compose publishes the emulator, by the environment or else by .env."""
    try:
        if given := os.environ.get("SAGA_ENDPOINT"):
            return connect.checked_url(given)
    except ValueError as error:
        raise UserError(f"SAGA_ENDPOINT is not right: {error}.") from error
    try:
        port = os.environ.get("EMULATOR_PORT") or settings(ROOT).get("EMULATOR_PORT") or "4566"
        return connect.checked_url(f"http://127.0.0.1:{port}")
    except ValueError as error:
        raise UserError(f"EMULATOR_PORT is not right, also in .env: {error}.") from error


def settings(folder: Path) -> dict[str, str | None]:
    """Return the settings in a folder's .env, as Compose reads them; raises UserError."""
    path = folder / ".env"
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")  # a pipe would be waited for
        # Windows's editors begin a file with a mark of its encoding.
        return dotenv_values(path, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error


def _state(home: Path) -> Path:
    return home / "environment.json"


class Busy(UserError):
    """Another command works under the same home."""


@contextmanager
def alone(home: Path, doing: str = "deployment") -> Iterator[None]:
    """Let only one command at a time do this under a home: a deployment, or a whole demo.

    Raises Busy when another one does.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home, doing).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(
                f"Another saga command is busy with a {doing} here: wait until it is done."
            ) from error
        yield


def wait_for_others(home: Path, report: Report) -> None:
    """Wait until no other command deploys under this home."""
    if not _lock(home, "deployment").exists():
        return
    with _lock(home, "deployment").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Waiting for another saga command that is busy with a deployment here")
            fcntl.flock(lock, fcntl.LOCK_EX)


def _lock(home: Path, doing: str) -> Path:
    return home / f"{doing}.lock"

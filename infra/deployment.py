"""The settings of a deployment: infra/deployments/<prefix>.toml has them, and nothing else has.

The CDK app, the `saga` command and the workflows read them here, so that whatever deploys next,
deploys the same.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "infra" / "deployments"
# A function's name has at most 64 characters, and some suffixes are added.
PREFIX = re.compile("[a-z][a-z0-9-]{0,30}[a-z0-9]")

TOPIC = r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:\S+\Z"
# Lambda keeps at least 100 executions of an account unreserved, the reserved ones come on top:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
Concurrency = Annotated[int, Meta(ge=1)]


class DeploymentError(Exception):
    """The settings cannot be used; the message names the file, and what to do."""


class Authorizer(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may order: bearers of a JWT of this issuer (its HTTPS URL) for one of these audiences."""

    issuer: Annotated[str, Meta(pattern="^https://.")]
    audience: Annotated[tuple[str, ...], Meta(min_length=1)]


class Deployment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One deployment; `prefix` begins the names of all that it has, and is the name of its file.

    architecture: what its functions run on.
    account, region: the only place that the CDK deploys it to; None for wherever one is logged in.
    alarms_topic: the ARN of the SNS topic that all alarms notify.
    requests_per_second, burst: what the API takes before it responds 429, of all callers together.
    reserved_concurrency: by service, the executions that it always has, and never more than these.
    authorizer: without one, anybody may order.
    """

    prefix: str = "order-saga"
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    account: Annotated[str, Meta(pattern=r"^[0-9]{12}\Z")] | None = None
    region: Annotated[str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]\Z")] | None = None
    alarms_topic: (
        Annotated[str, Meta(pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:\S+\Z")] | None
    ) = None
    requests_per_second: Annotated[int, Meta(ge=1)] = 50
    burst: Annotated[int, Meta(ge=1)] = 100
    reserved_concurrency: dict[str, Concurrency] = {}
    authorizer: Authorizer | None = None


def check_prefix(prefix: str) -> None:
    """Raise DeploymentError when AWS would refuse names that begin with this prefix."""
    if not PREFIX.fullmatch(prefix):
        raise DeploymentError(
            f"The prefix {prefix!r} cannot begin a name: use 2 to 32 lower-case letters, digits "
            "and hyphens, first a letter and no hyphen last."
        )
    if prefix == "default":
        raise DeploymentError("EventBridge has a bus `default` already: use another prefix.")


def read(prefix: str, *, required: bool = True) -> Deployment:
    """Read the settings of a deployment; raises DeploymentError.

    Without a file they are the defaults, where one is not `required`: for an emulator.
    """
    check_prefix(prefix)
    path = FOLDER / f"{prefix}.toml"
    name = f"infra/deployments/{prefix}.toml"
    try:
        # Windows's editors begin a file with a mark of its encoding.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if not required:
            return Deployment(prefix=prefix)
        raise DeploymentError(
            f"There is no {name}: copy order-saga.toml beside it to that, or correct SAGA_PREFIX."
        ) from None
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{name} cannot be read: {error}.") from error
    try:
        given = msgspec.toml.decode(text, type=dict[str, object])
        if "prefix" in given:
            raise ValueError("the prefix is the name of the file")
        read = msgspec.convert({**given, "prefix": prefix}, Deployment)
    # A number of too many digits, and lists in lists without end, are errors of Python's own.
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DeploymentError(f"{name} cannot be read: {error}.") from error
    services = {path.parent.name for path in ROOT.glob("services/*/handler.py")}
    unknown = sorted(read.reserved_concurrency.keys() - services)
    if unknown:
        raise DeploymentError(f"{name}: there is no service {', '.join(unknown)} in services/.")
    if read.region and read.alarms_topic and f":sns:{read.region}:" not in read.alarms_topic:
        raise DeploymentError(f"{name}: alarms notify only a topic of {read.region}, their region.")
    return read


def certificates() -> Path | None:
    """Return the file of certificates that pip needs here to build an image, or None.

    A network with an authority of its own names it by PIP_CERT or SSL_CERT_FILE.
    """
    named = Path(os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or os.devnull)
    return named if named.is_file() and named.stat().st_size else None

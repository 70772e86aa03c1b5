"""What a command is, and the options that several of them share."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.connect import checked_url
from harness.errors import UserError
from harness.names import PREFIX
from harness.orders import checked_id
from harness.saga import SERVICES
from infra.deployment import DeploymentError, check_prefix

WIDEST = 10**15 - 1  # which every reader of JSON keeps exact
# More in one command is a mistake, or a load test.
MOST = 10_000
MOST_SECONDS = 1e9  # some thirty years, as good as for ever
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def no_options(_: argparse.ArgumentParser) -> None:
    """Add nothing."""


@dataclass(frozen=True)
class Command:
    """A command: its function, whose docstring is its help, and the function that adds its options.

    The function returns the exit code. A `deployed` command speaks to a deployment, local or on
    AWS, and has the option --prefix. One that `acts` goes on when nobody reads its output, as
    behind `| head`; any other has nothing left to do then.
    """

    run: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] = no_options
    deployed: bool = True
    acts: bool = False

    @property
    def name(self) -> str:
        """The name that a person types."""
        return self.run.__name__


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Add --prefix."""
    parser.add_argument(
        "--prefix",
        type=prefix,
        default=os.environ.get("SAGA_PREFIX") or PREFIX,
        help=f"of the deployment's names (default: SAGA_PREFIX, else {PREFIX})",
    )


def add_services(parser: argparse.ArgumentParser) -> None:
    """Add the services to work on, none for all."""
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=", ".join(SERVICES))


def add_aws(parser: argparse.ArgumentParser, text: str = "on AWS, by your credentials") -> None:
    """Add --aws."""
    parser.add_argument("--aws", action="store_true", help=text)


def add_api_url(parser: argparse.ArgumentParser) -> None:
    """Add --api-url."""
    parser.add_argument(
        "--api-url", type=url, metavar="URL", help="of another environment, such as one on AWS"
    )


def home(text: str) -> Path:
    """Read the folder of an environment, which need not be there yet."""
    try:
        folder = Path(text or "-").expanduser().absolute()
        if text and (folder.is_dir() or not folder.exists()):
            return folder
    except (OSError, RuntimeError):
        pass  # too long, or of a user that does not exist
    raise argparse.ArgumentTypeError(f"give a folder, not {text or 'nothing'}")


def text(given: str) -> str:
    """Read a text, such as a SKU."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"give text, which {given} is not here") from None
    return given


def url(given: str) -> str:
    """Read the URL of an API."""
    try:
        return checked_url(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def order_id(given: str) -> str:
    """Read the id of an order, in any case."""
    try:
        return checked_id(given)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def one_or_more(text: str) -> int:
    """Read a number of at least 1."""
    return _whole(text, 1, MOST)


def units(text: str) -> int:
    """Read a number of at least 0."""
    return _whole(text, 0)


def number(text: str) -> int:
    """Read a whole number."""
    return _whole(text)


def port(text: str) -> int:
    """Read the number of a port."""
    return _whole(text, 1, 65535)


def seconds(text: str) -> float:
    """Read a time of more than 0 seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"give a number of seconds above 0, not {text}")
    return min(number, MOST_SECONDS)


def moment(text: str) -> datetime:
    """Read a time as ISO 8601, UTC where it names no zone, or as how long ago it was."""
    ago = re.fullmatch(r"(\d+)([smhd])", text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * SECONDS[ago[2]])
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"give a time such as 2026-01-31T09:00:00Z, or how long ago, such as 15m; not {text}"
        ) from None


def _whole(text: str, least: int = -WIDEST, most: int = WIDEST) -> int:
    number = int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None
    if number is None or not least <= number <= most:
        raise argparse.ArgumentTypeError(f"give {least} to {most}, not {text}")
    return number


def prefix(text: str) -> str:
    """Read the prefix of a deployment's names."""
    try:
        check_prefix(text)
        return text
    except DeploymentError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

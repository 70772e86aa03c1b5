"""What a command is, and the options that several of them share."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import UserError
from harness.names import PREFIX, checked_prefix
from harness.saga import SERVICES


def no_options(_: argparse.ArgumentParser) -> None:
    """Add nothing."""


@dataclass(frozen=True)
class Command:
    """A command: its function, whose docstring is its help, and the function that adds its options.

    The function returns the exit code. A `deployed` command speaks to a deployment, local or on
    AWS, and has the option --prefix.
    """

    run: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] = no_options
    deployed: bool = True

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
    parser.add_argument("--api-url", help="of another environment, such as one on AWS")


def one_or_more(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"give 1 or more, not {number}")
    return number


def units(text: str) -> int:
    """Read a number of at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"give 0 or more, not {number}")
    return number


def seconds(text: str) -> float:
    """Read a time of more than 0 seconds."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"give more than 0, not {text}")
    return number


def port(text: str) -> int:
    """Read the number of a port."""
    number = int(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"give 1 to 65535, not {number}")
    return number


def prefix(text: str) -> str:
    """Read the prefix of a deployment's names."""
    try:
        return checked_prefix(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from error

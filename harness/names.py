"""How the resources of one deployment are named: by its prefix, as infra/names.py names them."""

from __future__ import annotations

import re

from harness.errors import UserError

PREFIX = "order-saga"
# A stack's name has at most 128 characters, a function's 64, and some suffixes are added.
_PREFIX = re.compile("[a-z][a-z0-9-]{0,30}[a-z0-9]")


def checked_prefix(prefix: str) -> str:
    """Return the prefix; raises UserError when AWS would refuse names that begin with it."""
    if not _PREFIX.fullmatch(prefix):
        raise UserError(
            f"The prefix {prefix!r} cannot begin a name: use 2 to 32 lower-case letters, digits "
            "and hyphens, first a letter and no hyphen last."
        )
    return prefix


def stack_name(part: str, prefix: str = PREFIX) -> str:
    """Return the name of a service's stack and function, or of the `platform` stack."""
    return f"{prefix}-{part.replace('_', '-')}"


def table_name(table: str, prefix: str = PREFIX) -> str:
    """Return the name of a table: `orders` or `inventory`."""
    return f"{prefix}-{table}"


PLATFORM = stack_name("platform")

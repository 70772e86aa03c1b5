"""How the resources of one deployment are named: by its prefix, as infra/names.py names them."""

from __future__ import annotations

from infra.deployment import Deployment

PREFIX = Deployment().prefix


def stack_name(part: str, prefix: str = PREFIX) -> str:
    """Return the name of a service's stack and function, or of the `platform` stack."""
    return f"{prefix}-{part.replace('_', '-')}"


def table_name(table: str, prefix: str = PREFIX) -> str:
    """Return the name of a table: `orders` or `inventory`."""
    return f"{prefix}-{table}"


PLATFORM = stack_name("platform")
MONITORING = stack_name("monitoring")

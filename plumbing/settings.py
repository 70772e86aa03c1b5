"""Read a service's settings from its environment, once, at start."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

Settings = TypeVar("Settings", bound=msgspec.Struct)


class SettingsError(Exception):
    """The environment lacks a setting; the message names every variable that is absent."""


def read_settings(kind: type[Settings], environ: Mapping[str, str]) -> Settings:
    """Fill `kind`, a struct of strings, from the variables named like its fields in capitals.

    Raises SettingsError when a variable is absent or empty.
    """
    values = {field: environ.get(field.upper(), "") for field in kind.__struct_fields__}
    absent = [field.upper() for field, value in values.items() if not value]
    if absent:
        raise SettingsError(f"set {', '.join(absent)}: the service's stack in infra/ sets them")
    return kind(**values)

"""Read what comes from outside: whatever is wrong with it ends in one named error."""

from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind")

MAX_CHARACTERS = 500


class MalformedError(ValueError):
    """The text is no JSON of the form that is read here; the message says why, in one line."""


def decode_json(text: bytes | str, kind: type[Kind] | Any = Any) -> Kind | Any:
    """Decode JSON as a `kind`, such as a struct.

    Raises MalformedError for whatever cannot be decoded: not JSON, of another form, not UTF-8, or
    nested more deeply than this Python can follow.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None
    # Of msgspec, whatever they are based on, and of text that is not UTF-8.
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise MalformedError(printable(str(error))) from None


def printable(text: str, most: int | None = MAX_CHARACTERS) -> str:
    """Return text that any terminal, log and JSON reader can take, cut off after `most` characters.

    What is not printable, such as a control character or half of a surrogate pair, is escaped.
    """
    shown = text if most is None or len(text) <= most else f"{text[:most]}…"
    if shown.isprintable():
        return shown
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in shown
    )

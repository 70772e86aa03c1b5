"""What comes from outside is shown as text that any reader can take, and not too much of it."""

import pytest

from plumbing.untrusted import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 500, "a" * 500),
        ("a" * 501, "a" * 500 + "…"),
        ("größer", "größer"),
        ("größer\x00", "größer\\x00"),
        ("\ud800", "\\ud800"),
    ],
)
def test_text_is_shown_as_it_is_or_escaped_and_cut(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_text_is_cut_after_as_many_characters_as_are_asked_for_or_not_at_all() -> None:
    assert printable("abc", 3) == "abc"
    assert printable("abcd", 3) == "abc…"
    assert printable("a" * 1000, None) == "a" * 1000

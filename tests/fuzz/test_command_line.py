"""What a person types: every argument is taken, or refused with the right exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness import cli
from harness.cli import COMMANDS, parser
from harness.connect import checked_url
from harness.errors import UserError
from harness.orders import checked_id, retry_pause
from tests.fuzz.texts import ODD, texts

# These start or make something, or ask another address.
BUSY = {"up", "demo", "deploy", "build", "provision", "explore", "contracts", "flow", "ui", "story"}
OPTIONS = sorted(
    {
        option
        for command in COMMANDS
        for action in parser()._subparsers._group_actions[0].choices[command.name]._actions  # type: ignore[union-attr,index]
        for option in action.option_strings
    }
    - {"--api-url", "--aws", "--follow"}
)
numbers = st.one_of(st.integers(), st.floats()).map(str)
# As a shell passes bytes that are not UTF-8; no argument has a null.
words = st.one_of(
    texts, numbers, st.binary(max_size=8).map(os.fsdecode), st.sampled_from([*OPTIONS, *ODD])
).map(lambda text: text.encode("utf-8", "replace").decode().replace("\0", ""))
shell_words = st.one_of(
    words, st.binary(max_size=8).map(lambda raw: os.fsdecode(raw).replace("\0", ""))
)


@given(
    command=st.sampled_from(sorted(command.name for command in COMMANDS)),
    arguments=st.lists(shell_words, max_size=4),
)
def test_a_call_is_taken_or_refused(command: str, arguments: list[str]) -> None:
    assert _exit_code(lambda: bool(parser().parse_args([command, *arguments])) - 1) in (0, 2)


@given(
    command=st.sampled_from(sorted({command.name for command in COMMANDS} - BUSY)),
    arguments=st.lists(shell_words, max_size=4),
)
def test_without_an_environment_every_call_ends_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    command: str,
    arguments: list[str],
) -> None:
    # argparse takes an option by its beginning.
    assume(not any(word.startswith(("--ap", "--aw", "--home", "--h")) for word in arguments))
    home = str(_home(tmp_path_factory))
    code = _exit_code(lambda: cli.main(["--home", home, command, *arguments]))
    printed, complained = capsys.readouterr()

    assert code in (0, 1, 2)
    assert code == 0 or "saga" in complained
    assert "Traceback" not in printed + complained


@given(text=st.one_of(texts, st.from_regex(r"https?://[^/]{0,9}(:[0-9]{0,6})?(/.*)?")))
def test_what_is_taken_as_a_url_can_be_asked(text: str) -> None:
    url = _taken(checked_url, text, "give a URL such as")

    assert url is None or (url.lower().startswith("http") and url.isprintable())


@given(header=st.one_of(texts, numbers, st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y"))))
def test_what_is_asked_to_wait_is_a_time(header: str) -> None:
    assert retry_pause(header) >= 0


@given(text=st.one_of(texts, st.uuids().map(str), st.from_regex(r"[0-9A-Fa-f-]{36}")))
def test_an_id_is_as_it_is_stored_or_refused(text: str) -> None:
    order_id = _taken(checked_id, text, "is not the id of an order")

    assert order_id is None or (len(order_id) == 36 and order_id == order_id.lower().strip())


def _exit_code(run: Callable[[], int]) -> object:
    try:
        return run()
    except SystemExit as ended:
        return ended.code


def _taken(read: Callable[[str], str], text: str, otherwise: str) -> str | None:
    """Read a text; return None when it is refused in these words."""
    try:
        return read(text)
    except (UserError, ValueError) as error:
        if otherwise not in str(error):
            raise
        return None


def _home(folders: pytest.TempPathFactory) -> Path:
    """Return a folder in which nothing runs, the same for all examples."""
    home = folders.getbasetemp() / "nothing-runs"
    home.mkdir(exist_ok=True)
    return home

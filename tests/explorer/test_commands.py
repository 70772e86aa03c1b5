"""`python -m explorer`, on a seat that is sold by a handler which looks first and then writes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from explorer.__main__ import main
from explorer.commands import DOES_NOT_FIT, NO_SCHEDULE, add_explore, explore
from explorer.loading import origin
from explorer.terminal import Terminal, printable
from harness.emulator import ROOT

HANDLER = """
import boto3
from botocore.exceptions import ClientError

import prices

SEATS = boto3.resource("dynamodb").Table("seats")

def handle(event, context):
    if "Item" in SEATS.get_item(Key={"id": "1A"}, ConsistentRead=True):
        return {"statusCode": 409}
    SEATS.put_item(Item={"id": "1A", "buyer": event["buyer"], "price": prices.OF_A_SEAT})
    return {"statusCode": 200}
"""
MENDED = HANDLER.replace(
    "prices.OF_A_SEAT})",
    'prices.OF_A_SEAT}, ConditionExpression="attribute_not_exists(id)")',
)
EXPLORATION = """
from pathlib import Path

from explorer.app import App, Function, Request, Scenario, Table
from explorer.exploration import Exploration

HERE = Path(__file__).parent
A, B = ({"buyer": name} for name in "AB")

def sold_once(view):
    if sum(one.what == "done" for one in view.outcomes) > 1:
        yield "the seat is sold twice"

def exploration():
    return Exploration(
        App(
            [Function("sell", "handler.handle", [HERE / "sell"]),
             Function("look", "look.handle", [HERE / "look"])],
            [Table("seats", "id")],
        ),
        [
            Scenario("a look", [Request("look", A)], may={"faults": 1}),
            Scenario("one buyer", [Request("sell", A)], may={"faults": 1}),
            Scenario("two buyers", [Request("sell", A), Request("sell", B)]),
        ],
        invariants=[sold_once],
    )

NUMBER = 5
"""
LOOK = """
def handle(event, context):
    return {"statusCode": 303}
"""
TWICE = """two buyers:
  1. sell: reads seats - done   [sell/handler.py:10]
  2. sell: reads seats - done   [sell/handler.py:10]
  3. sell: puts into seats - done   [sell/handler.py:12]
  4. sell: puts into seats - done   [sell/handler.py:12]
  => the seat is sold twice
"""
TOLD = "".join(TWICE.splitlines(keepends=True)[1:])

Watched = Callable[..., Sequence[tuple[str, str]]]


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, the current one, with handlers and their exploration."""
    for name, text in {
        "sell/handler.py": HANDLER,
        "sell/prices.py": "OF_A_SEAT = 10\n",
        "look/look.py": LOOK,
        "exploration.py": EXPLORATION,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def _explore(*arguments: str) -> int:
    return main(["exploration.py", "explore", *arguments])


def _story(*arguments: str) -> int:
    return main(["exploration.py", "story", *arguments])


def test_a_scenario_is_a_line_and_what_does_not_hold_a_story_with_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = _explore("--processes", "1")

    printed, complained = capsys.readouterr()
    lines, _, told = printed.partition("\n\n")
    assert (code, complained) == (1, "")
    *scenarios, total = [re.sub(r"[\d.]+ (?=s\b|MB)", "# ", line) for line in lines.splitlines()]
    assert [re.sub(" +", " ", line) for line in scenarios] == [
        "two buyers 12 states 12 steps # s # MB BROKEN",
        "one buyer 13 states 16 steps # s # MB",
        "a look 2 states 1 steps # s # MB",
    ]
    assert total == "27 states in # s, at most # MB"
    assert told == f"{TWICE}python -m explorer exploration.py story 'two buyers' 0.0.0.0\n"


def test_what_holds_is_told_by_the_exit_code_alone(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "sell/handler.py").write_text(MENDED)

    code = _explore("two buyers", "--processes", "1")

    assert code == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_same_is_found_as_json_by_any_number_of_processes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = []
    for processes in "12":
        assert _explore("--json", "--processes", processes) == 1
        found.append(json.loads(capsys.readouterr().out))

    one, two = map(_without_measures, found)
    assert one == two
    assert one["holds"] is False
    assert [scenario["name"] for scenario in one["scenarios"]] == [
        "a look",
        "one buyer",
        "two buyers",
    ]
    story = one["scenarios"][-1]["story"]
    assert story["schedule"] == "0.0.0.0"
    assert story["broken"] == ["the seat is sold twice"]
    last = story["steps"][-1]
    assert (last["text"], last["where"]) == ("sell: puts into seats - done", "sell/handler.py:12")
    assert last["state"]["items"]["seats"]
    assert last["error"] == ""


def test_a_file_of_junit_has_a_case_for_each_scenario(shop: Path) -> None:
    _explore("--junit", "found.xml", "--processes", "1")

    suite = ElementTree.parse(shop / "found.xml").getroot()
    cases = {case.get("name"): case for case in suite}
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert list(cases) == ["a look", "one buyer", "two buyers"]
    assert all(float(case.get("time") or -1) >= 0 for case in suite)
    assert cases["one buyer"].find("failure") is None
    failure = cases["two buyers"].find("failure")
    assert failure is not None
    assert failure.get("message") == "the seat is sold twice"
    assert f"{failure.text}\n" == TOLD


def test_a_schedule_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    codes = (_story("two buyers", "0.0.0.0"), _story("one buyer", "0"))

    printed = capsys.readouterr().out
    assert codes == (1, 0)
    assert printed == (
        f"{TOLD}  1. sell: reads seats - done   [sell/handler.py:10]\n  => everything holds\n"
    )


def test_a_story_has_what_a_handler_printed_before_it_reported_failures_of_a_batch(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "look/look.py").write_text("""
def handle(event, context):
    print("sold out")
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event["Records"]]}
""")
    text = EXPLORATION.replace('"id")],', '"id")], [Rule({"source": ["shop"]}, "looks")], [LOOKS],')
    events = 'events=[{"source": "shop", "detail-type": "Look", "detail": {}}]'
    (shop / "exploration.py").write_text(
        "from explorer.app import Queue, Rule\nLOOKS = Queue('looks', 'look')\n"
        + text.replace('[Request("look", A)]', events)
    )

    _story("a look", "0")

    told = capsys.readouterr().out.splitlines()
    assert told[1] == "     a partial batch response, after it printed: sold out"


def test_a_schedule_is_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = _story("two buyers", "0.0.0.0", "--json")

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (told["scenario"], told["schedule"]) == ("two buyers", "0.0.0.0")
    assert told["broken"] == ["the seat is sold twice"]
    assert len(told["steps"]) == 4


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("99", DOES_NOT_FIT),
        ("0.0.0.0.0.0.0.0", DOES_NOT_FIT),
        ("-1", NO_SCHEDULE),
        ("0..0", NO_SCHEDULE),
        ("any", NO_SCHEDULE),
    ],
)
def test_a_schedule_that_does_not_fit_is_one_sentence(
    schedule: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["exploration.py", "story", "--", "two buyers", schedule])

    assert code == 2
    assert capsys.readouterr() == ("", f"explorer: {sentence}\n")


def test_an_unknown_scenario_is_told_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    codes = (_explore("nine"), _story("nine", "0"))

    sentence = (
        "explorer: There is no scenario 'nine': name one of 'a look', 'one buyer', 'two buyers'.\n"
    )
    assert codes == (2, 2)
    assert capsys.readouterr() == ("", 2 * sentence)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("nowhere.py", "There is no file nowhere.py."),
        ("no.where", "There is no module no.where: name one, or a file that ends with .py."),
        (
            "exploration.py:other",
            "exploration.py has no other: name what it has, as exploration.py:NAME.",
        ),
        ("exploration.py:NUMBER", "NUMBER of exploration.py is no Exploration, but a int."),
    ],
)
def test_what_is_no_exploration_is_one_sentence(
    target: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([target, "explore"])

    assert code == 2
    assert capsys.readouterr() == ("", f"explorer: {sentence}\n")


@pytest.mark.parametrize(
    ("declared", "instead", "sentence"),
    [
        ('"handler.handle"', '"handler"', "sell: handler is 'handler': give module.attribute."),
        (
            'HERE / "sell"]',
            'HERE / "cell"]',
            "sell: there is no folder {folder}/cell: mend its path.",
        ),
        ('[HERE / "sell"]', '"sell"', "sell: path is 'sell': give a list of folders, each a Path."),
        (
            'HERE / "sell"]',
            'HERE / "sell"], {"N": 1}',
            "sell: the variable N is 1: give a str.",
        ),
        (
            'Function("look"',
            'Function("sell"',
            "2 functions are named 'sell': give each a name of its own.",
        ),
        ('"one buyer"', '"a look"', "2 scenarios are named 'a look': give each a name of its own."),
        (
            'Request("look", A)',
            'Request("loook", A)',
            "a look: a request is of function 'loook', which there is not: name one of look, sell.",
        ),
        (
            '"id")],\n        ),',
            '"id")], queues=[Queue("q", "shell")]),',
            "queue q is of function 'shell', which there is not: name one of look, sell.",
        ),
        (
            '[Request("look", A)]',
            '[], {"seat": [{"id": "1A"}]}',
            "a look: it has items in seat, which is not among the app's tables: declare it.",
        ),
        (
            '[Request("look", A)]',
            '[], {"seats": [{"ID": "1A"}]}',
            "a look: an item of seats has no id, which is its key: {{'ID': '1A'}}.",
        ),
        (
            '[Request("look", A)]',
            '[], {"seats": {"id": "1A"}}',
            "a look: an item of seats is 'id': give a list of dicts.",
        ),
        (
            '[Request("look", A)]',
            '[], {"seats": [{"id": "1A", "price": 1.5}]}',
            "a look: an item of seats: a float cannot be stored: 1.5.",
        ),
        (
            '[Request("look", A)]',
            'events=["Sold"]',
            "a look: 'Sold' is no envelope: it needs source, detail-type and detail.",
        ),
        (
            '[Request("look", A)]',
            'events=[{"source": "shop", "detail-type": "Sold", "detail": {}}]',
            "a look: no rule matches its event Sold: nothing would happen.",
        ),
        (
            '{"faults": 1}),\n            Scenario("one',
            '["faults"]),\n            Scenario("one',
            "a look: may is ['faults']: give a dict, such as {{\"faults\": 1}}.",
        ),
        (
            '{"faults": 1}),\n            Scenario("one',
            '{"faults": -1}),\n            Scenario("one',
            "a look: faults may happen -1 times: give a number of 0 or more.",
        ),
        (
            '{"faults": 1}),\n            Scenario("one',
            '{"faults": 1}, at_once=0),\n            Scenario("one',
            "a look: nothing can run: let at_once be 1 or more.",
        ),
        (
            "invariants=[sold_once]",
            'saga=Saga("seat", "id", Flow())',
            "the saga's table seat is not among the app's tables: declare it.",
        ),
        (
            "invariants=[sold_once]",
            'saga=Saga("seats", "seat", Flow())',
            "the saga's key seat is not that of seats: give id.",
        ),
        (
            "invariants=[sold_once]",
            'saga=Saga("seats", "id", Flow([Transition("cell", None, "SOLD")]))',
            "transition cell: nothing → SOLD is of function 'cell', which there is not: name one of"
            " look, sell.",
        ),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(
    shop: Path, declared: str, instead: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert declared in EXPLORATION
    imported = "from explorer.app import Queue\nfrom explorer.flow import Flow, Saga, Transition\n"
    (shop / "exploration.py").write_text(imported + EXPLORATION.replace(declared, instead))

    code = _explore()

    assert code == 2
    told = sentence.format(folder=shop)
    assert capsys.readouterr() == ("", f"explorer: exploration.py: {told}\n")


def test_a_name_that_nothing_has_that_may_happen_is_told_those_that_there_are(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "exploration.py").write_text(EXPLORATION.replace("faults", "fault"))

    code = _explore()

    complained = capsys.readouterr().err
    assert code == 2
    assert (
        "a look: nothing is named 'fault' that may happen: name one of faults, losses" in complained
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def handle(:\n", "SyntaxError: invalid syntax, at sell/handler.py:1"),
        (
            "import nobody_has_this\n",
            "ModuleNotFoundError: No module named 'nobody_has_this', at sell/handler.py:1",
        ),
        ("X = {}['x']\n", "KeyError: 'x', at sell/handler.py:1"),
    ],
)
def test_a_handler_that_does_not_load_is_one_sentence(
    shop: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "sell/handler.py").write_text(text)

    code = _explore()

    assert code == 2
    assert capsys.readouterr() == ("", f"explorer: exploration.py cannot be loaded: {why}\n")


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (
            "handle.handle",
            "there is no module handle in {folder}/sell: mend its handler, handle.handle,"
            " or its path",
        ),
        ("handler.handel", "handler has no handel: mend its handler, handler.handel"),
    ],
)
def test_a_handler_that_there_is_not_is_one_sentence_with_its_function(
    shop: Path, handler: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "exploration.py").write_text(EXPLORATION.replace("handler.handle", handler))

    code = _explore()

    assert code == 2
    assert capsys.readouterr().err == f"explorer: sell: {sentence.format(folder=shop)}\n"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('import os; os.system("true")', "sell: starts a process"),
        (
            'boto3.client("s3").list_buckets()',
            "sell calls ListBuckets of s3, which is not known here",
        ),
        (
            'boto3.client("dynamodb").get_item(TableName="seat", Key={"id": {"S": "1A"}})',
            "GetItem at sell/handler.py:10 is of a table that the app does not declare: it declares"
            " seats",
        ),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_no_exploration_can_follow_is_one_sentence(
    shop: Path, line: str, sentence: str, processes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "sell/handler.py").write_text(
        HANDLER.replace("context):\n", f"context):\n    {line}\n")
    )

    code = _explore("--processes", processes, "one buyer", "two buyers")

    complained = capsys.readouterr().err
    assert code == 2
    assert complained.startswith("explorer: ")
    assert sentence in complained
    assert complained.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            'view.items("seat")',
            "LookupError: there is no table 'seat': name one of seats, at exploration.py:11",
        ),
        (
            'view.acts("sell.card")',
            "LookupError: there is no partner 'sell.card': there are none, at exploration.py:11",
        ),
        ('view.items("seats")["1B"]', "KeyError: '1B', at exploration.py:11"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_invariant_that_raises_is_one_sentence(
    shop: Path, line: str, why: str, processes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = EXPLORATION.replace("(view):\n", f"(view):\n    {line}\n")
    (shop / "exploration.py").write_text(text)

    codes = (_explore("--processes", processes), _story("two buyers", "0.0.0.0"))

    complained = capsys.readouterr().err
    assert codes == (2, 2)
    assert complained == 2 * f"explorer: the invariant sold_once raises {why}\n"


def test_an_invariant_that_returns_a_text_is_one_sentence(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = EXPLORATION.replace("[sold_once]", "[lambda view: 'sold twice']")
    (shop / "exploration.py").write_text(text)

    code = _explore()

    assert (code, capsys.readouterr().err) == (
        2,
        "explorer: the invariant <lambda> returns a text: let it yield what is wrong\n",
    )


def test_more_states_than_the_limit_are_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    code = _explore("one buyer", "--limit", "5")

    assert code == 2
    assert capsys.readouterr().err == (
        "explorer: one buyer: there are more than 5 states to explore\n"
    )


SAGA = """
from explorer.flow import Flow, Saga, Transition

def saga():
    found = exploration()
    flow = Flow((
        Transition("sell", None, "SOLD", final=True),
        Transition("sell", "SOLD", "REFUNDED", final=True),
    ))
    return replace(found, saga=Saga("seats", "id", flow), invariants=())
"""


def test_a_transition_that_no_scenario_takes_is_one_sentence_once_all_are_explored(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "exploration.py").write_text(f"from dataclasses import replace\n{EXPLORATION}{SAGA}")
    sold = MENDED.replace('"buyer":', '"status": "SOLD", "buyer":')
    (shop / "sell/handler.py").write_text(sold.replace("200}", """200, "body": '{"id": "1A"}'}"""))

    every = main(["exploration.py:saga", "explore", "--processes", "1", "--junit", "found.xml"])
    printed = capsys.readouterr().out
    one = main(["exploration.py:saga", "explore", "one buyer"])

    suite = ElementTree.parse(shop / "found.xml").getroot()
    sentence = "No scenario takes sell: SOLD → REFUNDED: add one that does, or remove that step."
    assert (every, one) == (1, 0)
    assert printed.splitlines()[-1] == sentence
    assert [case.get("name") for case in suite if case.find("failure") is not None] == [
        "every transition is taken"
    ]


@pytest.fixture
def watched(capsys: pytest.CaptureFixture[str]) -> Watched:
    """Return what watches while these are saved, and returns what is printed after each."""

    def watched(*saves: Callable[[], object]) -> Sequence[tuple[str, str]]:
        coming, printed = iter(saves), list[tuple[str, str]]()

        def wait(seconds: float) -> None:
            out, err = capsys.readouterr()
            printed.append((out, err))
            if save := next(coming, None):
                save()
            else:
                raise KeyboardInterrupt

        parser = ArgumentParser()
        add_explore(parser)
        call = parser.parse_args(["--watch", "--processes", "1"])
        with pytest.raises(KeyboardInterrupt):
            explore(origin("exploration.py"), call, Terminal(), wait)
        return printed

    return watched


def _names(printed: str) -> list[str]:
    return re.findall(r"^(.+?)  +\d+ states", printed, re.MULTILINE)


def test_a_saved_file_is_explored_again_by_the_scenarios_that_it_matters_to(
    shop: Path, watched: Watched
) -> None:
    handler, prices = shop / "sell/handler.py", shop / "sell/prices.py"

    rounds = watched(
        lambda: handler.write_text(MENDED),
        lambda: prices.write_text("OF_A_SEAT = 11\n"),
        lambda: (shop / "look/look.py").write_text(f"{LOOK}\n"),
        lambda: (shop / "exploration.py").write_text(EXPLORATION.replace("a look", "looks")),
    )

    printed, complained = zip(*rounds, strict=True)
    assert "".join(complained) == ""
    assert [_names(one) for one in printed] == [
        ["a look", "one buyer", "two buyers"],
        ["one buyer", "two buyers"],
        ["one buyer", "two buyers"],
        ["a look"],
        ["looks", "one buyer", "two buyers"],
    ]
    assert [one.count("sold twice") for one in printed] == [1, 0, 0, 0, 0]
    assert re.search(r"^\d+\.\d s after handler.py was saved\n\Z", printed[1], re.MULTILINE)


def test_a_file_that_does_not_load_is_a_sentence_and_the_watch_goes_on(
    shop: Path, watched: Watched
) -> None:
    handler = shop / "sell/handler.py"
    handler.write_text("def handle(:\n")

    rounds = watched(
        lambda: handler.write_text(HANDLER),
        lambda: handler.write_text("import nobody_has_this\n"),
        lambda: handler.write_text(MENDED),
    )

    cannot = "explorer: exploration.py cannot be loaded:"
    missing = "ModuleNotFoundError: No module named 'nobody_has_this'"
    assert [(_names(printed), complained) for printed, complained in rounds] == [
        ([], f"{cannot} SyntaxError: invalid syntax, at sell/handler.py:1\n"),
        (["a look", "one buyer", "two buyers"], ""),
        ([], f"{cannot} {missing}, at sell/handler.py:1\n"),
        (["one buyer", "two buyers"], ""),
    ]


def test_a_call_that_nobody_knows_is_a_sentence_and_the_watch_goes_on(
    shop: Path, watched: Watched
) -> None:
    handler = shop / "sell/handler.py"
    unknown = 'context):\n    boto3.client("s3").list_buckets()\n'
    handler.write_text(HANDLER.replace("context):\n", unknown))

    rounds = watched(lambda: handler.write_text(MENDED))

    assert [(_names(printed), complained) for printed, complained in rounds] == [
        (["a look"], "explorer: sell calls ListBuckets of s3, which is not known here\n"),
        (["one buyer", "two buyers"], ""),
    ]


def test_an_unknown_scenario_ends_a_watch(capsys: pytest.CaptureFixture[str]) -> None:
    code = _explore("nine", "--watch")

    assert code == 2
    assert "There is no scenario 'nine'" in capsys.readouterr().err


def _run(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-m", "explorer", "exploration.py", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        **options,
    )
    return process


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    process = _run("explore", "--json", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, complained = process.communicate(timeout=60)

    assert (process.returncode, complained) == (0, "")


def test_an_output_that_cannot_be_written_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        process = _run("explore", "one buyer", stdout=full, stderr=subprocess.PIPE)
        _, complained = process.communicate(timeout=60)

    assert process.returncode == 2
    assert complained == "explorer: The output cannot be written (No space left on device).\n"


def test_an_interrupt_ends_it_quietly() -> None:
    process = _run(
        "explore", "--watch", stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    for line in process.stdout:
        if line.startswith("python -m explorer"):  # all is explored
            break
    os.killpg(process.pid, signal.SIGINT)
    _, complained = process.communicate(timeout=60)

    assert (process.returncode, complained) == (130, "")


def test_a_terminal_is_shown_how_far_it_is() -> None:
    reading, writing = pty.openpty()

    process = _run("explore", "one buyer", stdout=writing)
    os.close(writing)
    shown = "".join(_read(reading))

    assert process.wait(timeout=60) == 0
    assert shown.startswith("\r\x1b[Kone buyer: 1 states\r\x1b[Kone buyer   ")


def _read(file: int) -> Iterator[str]:
    try:
        while text := os.read(file, 1000):
            yield text.decode()
    except OSError:  # how Linux tells that the other end is closed
        pass


def test_a_text_from_a_handler_is_no_command_to_the_terminal() -> None:
    assert printable("a\x1b[2Jb → c\n") == "a\\x1b[2Jb → c\\n"


def _without_measures(found: Any) -> Any:
    if isinstance(found, dict):
        measures = ("seconds", "megabytes")
        return {k: _without_measures(v) for k, v in found.items() if k not in measures}
    return [_without_measures(one) for one in found] if isinstance(found, list) else found

"""`saga explore` and `saga story`, as a person types them."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.emulator import ROOT
from tests.clone import saga


def test_a_scenario_is_explored_with_a_file_for_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    code = main(["explore", "sold out", "--junit", "found.xml"])

    printed, complained = capfd.readouterr()
    assert (code, complained) == (0, "")
    line, total = printed.splitlines()
    assert line.startswith("sold out  ")
    assert " states in " in total
    [case] = ElementTree.parse(tmp_path / "found.xml").getroot()
    assert case.get("name") == "sold out"


def test_what_was_explored_is_json_for_a_program(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["explore", "sold out", "--json"])

    found = json.loads(capfd.readouterr().out)
    assert code == 0
    assert found["holds"] is True
    assert [one["name"] for one in found["scenarios"]] == ["sold out"]
    assert found["states"] > 1000


def test_a_schedule_is_told_again(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["story", "sold out", "0.0.0"])
    lines = capfd.readouterr().out.splitlines()
    main(["story", "sold out", "0.0.0", "--json"])
    told = json.loads(capfd.readouterr().out)

    assert code == 0
    assert lines[0].endswith("[services/create_order/orders.py:50]")
    assert lines[-1] == "  => everything holds"
    assert len(told["steps"]) == len(lines) - 1
    assert told["steps"][-1]["state"]["items"]["orders"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["explore", "nine"], 2, "There is no scenario 'nine': name one of 'sold out', "),
        (["story", "nine", "0"], 2, "There is no scenario 'nine': name one of 'sold out', "),
        (["story", "sold out", "0.999"], 2, "This schedule does not fit the code, which has "),
        (["explore", "--watch", "--from"], 1, "--from explores deployments: give it no scenario,"),
    ],
)
def test_what_cannot_be_explored_is_one_sentence(
    arguments: list[str], code: int, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = main(arguments)

    printed, complained = capfd.readouterr()
    assert (found, printed) == (code, "")
    assert complained.startswith(f"saga: {sentence}")
    assert complained.count("\n") == 1


def test_what_does_not_hold_is_a_story_that_its_command_tells_again(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    orders = copy / "services/reserve_inventory/orders.py"
    orders.write_text(
        orders.read_text().replace('"#available >= :units"', '"attribute_exists(#available)"')
    )

    explored = _saga(copy, "explore", "sold out")
    *_, command = explored.stdout.splitlines()
    told = _saga(copy, *shlex.split(command)[1:])

    assert (explored.returncode, told.returncode) == (1, 1)
    assert "-1 OUT-OF-STOCK are available" in explored.stdout
    assert command.startswith("./saga story 'sold out' 0.")
    assert told.stdout in explored.stdout
    assert (explored.stderr, told.stderr) == ("", "")


def test_a_handler_that_does_not_load_is_one_sentence(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    (copy / "services/charge_payment/charge_payment.py").write_text("def charge(:\n")

    explored = _saga(copy, "explore")

    assert explored.returncode == 2
    assert explored.stderr == (
        "saga: the saga cannot be loaded: SyntaxError: invalid syntax, "
        "at services/charge_payment/charge_payment.py:1\n"
    )


def _copy(folder: Path) -> Path:
    copy = folder / "copy"
    for part in ("contracts", "explorer", "harness", "infra", "plumbing", "services", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    return copy


def _saga(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return saga(copy, *arguments, PYTHONPATH=f"{copy}:{copy / 'services'}")

"""The package as somebody installs it who has handlers of their own."""

import os
import re
import shutil
import subprocess
import venv
from pathlib import Path

from explorer.faults import BUDGETS

EXPLORER = Path(__file__).resolve().parents[2] / "explorer"
EXAMPLES = EXPLORER / "examples"
README = (EXPLORER / "README.md").read_text()
HANDLER, EXPLORATION = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
[PRINTED] = re.findall(r"```text\n(.*?)```", README, re.DOTALL)


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def without_figures(printed: str) -> list[str]:
    """Return what is printed without what differs between runs: scenarios end in any order."""
    return sorted(re.sub(r" +\d+\.\d s|,? +(at most )?\d+ MB", "", printed).splitlines())


def test_the_first_exploration_of_the_readme_is_the_example() -> None:
    assert (EXAMPLES / "handlers" / "check_then_write.py").read_text() == HANDLER
    assert (EXAMPLES / "check_then_write.py").read_text() == EXPLORATION


def test_the_readme_names_all_that_may_go_wrong() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))

    assert named == set(BUDGETS)


def test_installed_by_itself_it_prints_of_the_example_what_the_readme_says(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    source = shutil.copytree(EXPLORER, tmp_path / "explorer", ignore=ignored)
    folder = tmp_path / "of somebody"
    (folder / "handlers").mkdir(parents=True)
    (folder / "check_then_write.py").write_text(EXPLORATION)
    (folder / "handlers" / "check_then_write.py").write_text(HANDLER)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    installed = run(python, "-m", "pip", "install", "--quiet", source, "boto3", cwd=folder)

    ran = run(python, "-m", "explorer", "check_then_write.py", "explore", cwd=folder)

    assert installed.returncode == 0, installed.stderr
    assert without_figures(ran.stdout) == without_figures(PRINTED), ran.stderr
    assert ran.returncode == 1

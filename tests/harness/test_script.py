"""The script `saga`: from wherever and however it is called, it runs what lies beside it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.deploy import bootstrap
from harness.emulator import ROOT
from tests.clone import clone

HELP = ["--help"]


def _saga(
    arguments: list[str],
    script: Path = ROOT / "saga",
    cwd: Path = ROOT,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        cwd=cwd,
        env=os.environ | (settings or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def usual() -> str:
    """Return the help, as every call has to print it."""
    printed = _saga(HELP)
    assert (printed.returncode, printed.stderr) == (0, "")
    return printed.stdout


@pytest.fixture
def shadows(tmp_path: Path) -> Path:
    """Make a folder of modules that end whoever imports them."""
    folder = tmp_path / "shadows"
    folder.mkdir()
    for name in ("harness", "rich", "infra", "plumbing", "json", "sitecustomize", "usercustomize"):
        (folder / f"{name}.py").write_text("raise SystemExit('shadowed')")
    return folder


def test_it_can_be_called_by_a_link_to_a_link_from_another_folder(
    usual: str, tmp_path: Path
) -> None:
    (tmp_path / "first").symlink_to(ROOT / "saga")
    (tmp_path / "-second").symlink_to("first")

    called = _saga(HELP, tmp_path / "-second", tmp_path, {"CDPATH": f"{tmp_path}:{ROOT}:/"})

    assert (called.stdout, called.stderr) == (usual, "")


@pytest.mark.parametrize("call", ["saga --help", "sh saga --help", "cd ./docs; ../saga --help"])
def test_it_can_be_called_as_people_call_it(usual: str, call: str) -> None:
    called = subprocess.run(
        ["sh", "-c", call],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{ROOT}:{os.environ['PATH']}", "CDPATH": "docs:/:."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (called.stdout, called.stderr) == (usual, "")


def test_a_copy_of_it_says_to_link_instead(tmp_path: Path) -> None:
    shutil.copy(ROOT / "saga", tmp_path)

    called = _saga(HELP, tmp_path / "saga")

    assert (called.returncode, called.stderr) == (
        1,
        f"saga: {tmp_path} is not the repository: leave this file there, and link to it.\n",
    )


def test_a_package_that_was_removed_is_named() -> None:
    without_packages = [sys.executable, "-I", "-S", str(ROOT / "harness/__main__.py")]

    called = subprocess.run(without_packages, capture_output=True, text=True, check=False)

    assert (called.returncode, called.stderr) == (
        1,
        "saga: .venv has no botocore: remove .venv, and run this again to install it.\n",
    )


HOSTILE = {
    "PYTHONPATH": "{shadows}",
    "PYTHONHOME": "{shadows}",
    "PYTHONOPTIMIZE": "2",
    "PYTHONSAFEPATH": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONSTARTUP": "{shadows}/rich.py",
    "PYTHONINSPECT": "1",
    "PYTHONVERBOSE": "1",
    "PYTHONIOENCODING": "ascii",
    "PYTHONBREAKPOINT": "rich.none",
    "PYTHONPROFILEIMPORTTIME": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONUSERBASE": "{shadows}",
    "PYTHONPLATLIBDIR": "lib65",
    "PYTHONMALLOC": "none",
    "PYTHONHASHSEED": "much",
    "PYTHONPYCACHEPREFIX": "/dev/null/none",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_setting_of_python_of_the_person_changes_what_it_does(
    usual: str, shadows: Path, name: str
) -> None:
    called = _saga(HELP, settings={name: HOSTILE[name].format(shadows=shadows)})

    assert (called.stdout, called.stderr) == (usual, "")


def test_modules_in_the_folder_of_the_call_are_not_imported(usual: str, shadows: Path) -> None:
    called = _saga(HELP, cwd=shadows)

    assert (called.stdout, called.stderr) == (usual, "")


def test_all_of_the_demo_runs_whatever_pythons_settings_are(shadows: Path, tmp_path: Path) -> None:
    settings = {name: value.format(shadows=shadows) for name, value in HOSTILE.items()}

    called = _saga(["--home", str(tmp_path / "home"), "demo"], cwd=shadows, settings=settings)

    assert (called.returncode, called.stderr) == (0, "")


def test_all_of_the_demo_runs_in_a_folder_of_any_name(tmp_path: Path) -> None:
    copy = clone(tmp_path / '-a $HOME "b" `exit 1` it\'s:100% #1 \\n ünï-日本\n;&|*[x]?~{c}=d,')
    (copy / ".venv").symlink_to(ROOT / ".venv")
    shutil.copy(ROOT / "saga", copy)

    called = _saga(["demo"], copy / "saga", Path("/"), {"SAGA_FILES": str(copy / ".saga")})

    assert (called.returncode, called.stderr) == (0, "")


def test_the_app_synthesizes_with_a_home_and_nodes_options_that_nothing_can_use(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    settings = {"HOME": str(tmp_path / "file"), "NODE_OPTIONS": "--require /there/is/none.js"}
    settings |= {"SAGA_FILES": str(tmp_path / "files"), "XDG_CACHE_HOME": str(tmp_path / "file")}

    called = _saga(["flow", "--check"], settings=settings)

    assert (called.returncode, called.stderr) == (0, "")


@pytest.mark.parametrize(
    "folder",
    ["a b", "$HOME", '"', "`exit 1`", "it's", "col:on", "back\\slash", "-x", "ünï", "\udcff"],
)
def test_the_start_of_a_function_names_a_python_of_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    python = tmp_path / folder / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    python.chmod(0o755)
    start = tmp_path / "bootstrap"
    monkeypatch.setattr(sys, "executable", str(python))
    start.write_bytes(bootstrap()["bootstrap"])

    run = subprocess.run(
        ["sh", start], env={"_HANDLER": "a.b"}, capture_output=True, text=True, check=False
    )

    assert (run.stdout, run.stderr) == ("-Es|-m|awslambdaric|a.b|", "")


def test_make_hands_no_setting_of_python_on() -> None:
    printed = subprocess.run(
        ["make", "-s", "--eval", "shown: ; @env", "shown"],
        cwd=ROOT,
        env=os.environ | HOSTILE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert [line for line in printed.splitlines() if line.startswith("PYTHON")] == []


def test_a_clone_by_a_git_that_converts_line_ends_has_none_converted(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf"]
    subprocess.run([*git, "clone", "--quiet", "--depth=1", ROOT.as_uri(), clone], check=True)

    listed = subprocess.run(
        ["git", "ls-files", "--eol"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout

    assert [line for line in listed.splitlines() if "w/crlf" in line or "w/mixed" in line] == []
    assert (clone / "saga").read_bytes().startswith(b"#!/bin/sh\n")

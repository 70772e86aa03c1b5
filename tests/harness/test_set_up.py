"""The set-up of environments, with a package of its own in place of the emulator's: no network."""

import ast
import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.emulator import ROOT

TOLD = "Installing the emulator into .venv-emulator ...\n"
NOT_INSTALLED = (
    "saga: Packages could not be installed, and nothing was changed: see pip's message above, "
    "then run this again.\n"
)


class Checkout:
    """A folder with the set-up and the pin of one package, which lies in a folder of wheels."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        self.wheels = wheels
        self.pins = root / "requirements" / "emulator.txt"
        self.link = root / ".venv-emulator"
        self.python = self.link / "bin" / "python"
        self.pins.parent.mkdir(parents=True)
        for name in ("install", "install.py"):
            shutil.copy(ROOT / "requirements" / name, self.pins.parent)
        self.pin("1.0")

    def pin(self, version: str, module: str = "app") -> None:
        """Make the package in this version, and pin it."""
        name = f"ministack-{version}"
        files = {
            "ministack/__init__.py": "",
            f"ministack/{module}.py": f"VERSION = {version!r}\n",
            f"{name}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: ministack\n"
            f"Version: {version}\n",
            f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
            "Root-Is-Purelib: true\nTag: py3-none-any\n",
            f"{name}.dist-info/entry_points.txt": "[console_scripts]\nministack = ministack:app\n",
        }
        record = "".join(
            f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items()
        )
        wheel = self.wheels / f"{name}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
            archive.writestr(f"{name}.dist-info/RECORD", record)
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        self.pins.write_text(f"ministack=={version} --hash=sha256:{sha256}\n")

    def environ(self, **settings: str) -> dict[str, str]:
        """Return a person's environment, in which pip is told where the wheels are."""
        plain = {"PATH": os.environ["PATH"], "HOME": str(self.wheels), "PYTHON": sys.executable}
        return {**plain, "PIP_FIND_LINKS": str(self.wheels), "PIP_NO_INDEX": "1", **settings}

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """Start the set-up."""
        return subprocess.Popen(
            [self.pins.parent / "install", "emulator"],
            env=self.environ(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def set_up(self, **settings: str) -> tuple[int | None, str, str]:
        """Run the set-up; return its code, what it told, and the last line of its errors."""
        process = self.start(**settings)
        told, errors = process.communicate(timeout=120)
        return process.returncode, told, "".join(errors.splitlines(keepends=True)[-1:])

    def version(self) -> str:
        """Return which version of the package the environment has."""
        run = subprocess.run(
            [self.python, "-I", "-c", "from ministack.app import VERSION; print(VERSION)"],
            capture_output=True,
            text=True,
            check=True,
        )
        return run.stdout.strip()

    def stand_in(self) -> Path:
        """Put in place what stands for a ready environment, and return where it is."""
        environment = self.root / ".venvs" / "emulator-1"
        (environment / "bin").mkdir(parents=True)
        (environment / "bin" / "python").symlink_to(sys.executable)
        self.link.symlink_to(".venvs/emulator-1")
        paths = f"{environment}\n{Path(sys.executable).resolve()}\n"
        (environment / "ready").write_text(paths + self.pins.read_text())
        return environment

    def environments(self) -> list[str]:
        """Return what environments there are beside each other, and what is half done."""
        return sorted(path.name for path in self.root.glob(".venvs/emulator-*"))


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "wheels").mkdir()
    return Checkout(tmp_path / "checkout", tmp_path / "wheels")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Set up a checkout, for tests that leave it so."""
    folder = tmp_path_factory.mktemp("ready")
    (folder / "wheels").mkdir()
    made = Checkout(folder / "checkout", folder / "wheels")
    code, told, errors = made.set_up()
    assert (code, told.splitlines(keepends=True)[0], errors) == (0, TOLD, "")
    return made


def test_what_is_ready_is_not_made_again_whatever_the_times_of_files_say(ready: Checkout) -> None:
    for time in (0, 4_000_000_000):
        os.utime(ready.pins, (time, time))
        os.utime(ready.link / "ready", (4_000_000_000 - time,) * 2)

        assert ready.set_up() == (0, "", "")


def test_scripts_and_activate_lead_to_the_link_so_that_they_outlive_an_environment(
    ready: Checkout,
) -> None:
    script = (ready.link / "bin" / "ministack").read_text()
    activated = subprocess.run(
        ["sh", "-c", '. "$0"/bin/activate; echo "$VIRTUAL_ENV"; command -v python', ready.link],
        capture_output=True,
        text=True,
        check=True,
    )

    assert script.startswith(f"#!{ready.link}/bin/python")
    assert activated.stdout == f"{ready.link}\n{ready.python}\n"


def test_other_pins_are_installed_beside_and_take_the_place_of_the_former(
    checkout: Checkout,
) -> None:
    former = checkout.stand_in()
    first = checkout.set_up()
    checkout.pin("2.0")

    code, _, errors = checkout.set_up()

    assert first == (0, "", "")
    assert (code, errors, checkout.version()) == (0, "", "2.0")
    assert checkout.environments() == [checkout.link.readlink().name] != [former.name]


@pytest.mark.parametrize("how", ["offline", "another hash", "not importable", "no place"])
def test_a_set_up_that_fails_leaves_the_working_environment(checkout: Checkout, how: str) -> None:
    working = checkout.stand_in()
    settings, expected = {}, NOT_INSTALLED
    checkout.pin("2.0")
    match how:
        case "offline":
            settings = {"PIP_FIND_LINKS": str(checkout.root)}
        case "another hash":
            checkout.pins.write_text(checkout.pins.read_text().replace("sha256:", "sha256:0")[:-2])
        case "not importable":
            checkout.pin("3.0", module="another")
            expected = (
                "saga: The set-up did not work, and nothing was changed: "
                "ModuleNotFoundError: No module named 'ministack.app'\n"
            )
        case "no place":
            (checkout.root / ".venvs" / "emulator.lock").mkdir()
            expected = (
                "saga: The set-up needs something of this machine that it does not get: "
                f"Is a directory ({checkout.root}/.venvs/emulator.lock); nothing was changed.\n"
            )

    code, _, errors = checkout.set_up(**settings)

    assert (code, errors) == (1, expected)
    assert (checkout.environments(), checkout.link.resolve()) == ([working.name], working)
    assert (working / "ready").exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_set_up_leaves_the_working_environment(
    checkout: Checkout, ending: signal.Signals
) -> None:
    working = checkout.stand_in()
    checkout.pin("2.0")
    with socket.create_server(("127.0.0.1", 0)) as index:
        index.settimeout(60)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/"
        process = checkout.start(PIP_NO_INDEX="0", PIP_INDEX_URL=url, NO_PROXY="127.0.0.1")
        with index.accept()[0]:  # now pip waits for an answer
            process.send_signal(ending)
            _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors.splitlines()[-1]) == (
        130,
        "saga: The set-up was interrupted; nothing was changed.",
    )
    assert (checkout.environments(), checkout.link.resolve()) == ([working.name], working)
    assert (working / "ready").exists()


@pytest.mark.parametrize("of", [".venv-emulator", ".venvs"])
def test_a_link_to_another_checkout_is_replaced_and_never_written_through(
    ready: Checkout, checkout: Checkout, of: str
) -> None:
    (checkout.root / of).symlink_to(ready.root / of)

    code, _, errors = checkout.set_up()

    assert (code, errors, checkout.version()) == (0, "", "1.0")
    assert (ready.environments(), ready.version()) == ([ready.link.readlink().name], "1.0")
    assert checkout.link.resolve().is_relative_to(checkout.root)


def test_a_link_to_what_is_ready_elsewhere_is_used(ready: Checkout, checkout: Checkout) -> None:
    checkout.link.symlink_to(ready.link)
    shutil.copy(ready.pins, checkout.pins)

    assert checkout.set_up() == (0, "", "")


def test_a_folder_in_the_place_of_the_link_is_replaced(checkout: Checkout) -> None:
    (checkout.link / "bin").mkdir(parents=True)
    (checkout.link / "ready").touch()

    code, _, errors = checkout.set_up()

    assert (code, errors, checkout.version()) == (0, "", "1.0")
    assert checkout.environments() == [checkout.link.readlink().name]


def test_a_copied_checkout_gets_an_environment_of_its_own(
    ready: Checkout, checkout: Checkout
) -> None:
    shutil.copytree(ready.root, checkout.root, symlinks=True, dirs_exist_ok=True)

    code, told, _ = checkout.set_up(PIP_FIND_LINKS=str(ready.wheels))

    assert (code, told.splitlines(keepends=True)[0]) == (0, TOLD)
    assert str(ready.root) not in (checkout.link / "bin" / "ministack").read_text()


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    python = checkout.stand_in() / "bin" / "python"
    python.unlink()
    python.symlink_to("/there/is/none")

    code, told, _ = checkout.set_up()

    assert (code, told.splitlines(keepends=True)[0], checkout.version()) == (0, TOLD, "1.0")


def test_two_at_once_do_one_set_up_and_both_succeed(checkout: Checkout) -> None:
    processes = [checkout.start() for _ in range(3)]

    told = [process.communicate(timeout=120)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert "".join(told).count(TOLD) == 1
    assert (len(checkout.environments()), checkout.version()) == (1, "1.0")


def test_what_a_killed_set_up_left_is_removed(checkout: Checkout) -> None:
    half = checkout.root / ".venvs" / "emulator-1"
    half.mkdir(parents=True)
    (checkout.root / ".venvs" / "emulator-1.link").symlink_to("/")

    checkout.set_up()

    assert checkout.environments() == [checkout.link.readlink().name] != ["emulator-1"]


def test_no_setting_of_python_or_pip_of_the_person_decides_what_is_installed_where(
    checkout: Checkout,
) -> None:
    shadows = checkout.wheels / "shadows"
    shadows.mkdir()
    for name in ("venv.py", "pip.py", "subprocess.py", "sitecustomize.py"):
        (shadows / name).write_text("raise SystemExit('shadowed')")
    elsewhere = str(checkout.wheels / "elsewhere")
    file = checkout.wheels / "pip.conf"
    file.write_text(
        f"[global]\nuser = true\npython = /there/is/none\nfind-links = {checkout.wheels}\n"
        f"[install]\ntarget = {elsewhere}\nno-deps = true\ndry-run = true\n"
    )

    code, _, errors = checkout.set_up(
        PYTHONPATH=str(shadows),
        PYTHONHOME=elsewhere,
        PYTHONOPTIMIZE="2",
        PYTHONSAFEPATH="1",
        PYTHONWARNINGS="error",
        PYTHONVERBOSE="1",
        PYTHONINSPECT="1",
        PYTHONSTARTUP=str(shadows / "pip.py"),
        PYTHONPLATLIBDIR="lib65",
        PIP_CONFIG_FILE=str(file),
        PIP_FIND_LINKS="",
        PIP_USER="1",
        PIP_TARGET=elsewhere,
        PIP_PREFIX=elsewhere,
        PIP_ROOT=elsewhere,
        PIP_PYTHON="/there/is/none",
        PIP_DRY_RUN="1",
        PIP_REQUIREMENT="/there/is/none",
        PIP_CONSTRAINT="/there/is/none",
        PIP_REQUIRE_VIRTUALENV="1",
        VIRTUAL_ENV=elsewhere,
    )

    assert (code, errors, checkout.version()) == (0, "", "1.0")
    assert not Path(elsewhere).exists()


@pytest.mark.parametrize(
    "name", ['-with space $HOME "quote" `exit 1` it\'s 100% #1 \\n ünï-日本 ;&|*[x]?~{a}=b,', "~"]
)
def test_the_set_up_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "wheels").mkdir()
    checkout = Checkout(tmp_path / name, tmp_path / "wheels")

    code, _, errors = checkout.set_up()

    assert (code, errors, checkout.version()) == (0, "", "1.0")


@pytest.mark.parametrize("name", ["col:on", "line\nbreak", "latin-\udcff"])
def test_where_no_environment_works_the_set_up_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "wheels").mkdir()
    checkout = Checkout(tmp_path / name, tmp_path / "wheels")

    assert checkout.set_up() == (
        1,
        "",
        "saga: No environment works in a path with a colon or a line break, or that is not UTF-8: "
        f"move {str(checkout.root)!r} to another.\n",
    )


def test_a_machine_without_python_is_told_what_to_install(checkout: Checkout) -> None:
    assert checkout.set_up(PYTHON="python9") == (
        1,
        "",
        "saga: python9 is missing: install python3, 3.11 or newer.\n",
    )


def test_a_python_without_ensurepip_is_told_of(checkout: Checkout) -> None:
    python = checkout.wheels / "python"
    hidden = "import runpy, sys; sys.modules['ensurepip'] = None; del sys.argv[0]; "
    python.write_text(
        f'#!/bin/sh\nshift\nexec {sys.executable} -I -c "{hidden}'
        'runpy.run_path(sys.argv[0], run_name=\'__main__\')" "$@"\n'
    )
    python.chmod(0o755)

    assert checkout.set_up(PYTHON=str(python)) == (
        1,
        TOLD,
        "saga: This Python makes no environments: install your system's python3-venv.\n",
    )


def test_an_old_python_can_read_the_file_that_says_it_is_too_old() -> None:
    text = (ROOT / "requirements" / "install.py").read_text()

    ast.parse(text, feature_version=(3, 7))

    assert text.index("sys.version_info") < text.index("def ")

"""What .ci/run installs: as root, with sudo and without. Here `make check` ends it."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.emulator import ROOT

# What it calls of a machine, and what it only looks for.
CALLED = ("basename", "bash", "dirname", "grep", "ln", "sh")
LOOKED_FOR = ("git", "node", "npm", "python3")
NOTES = '#!/bin/sh\necho "$(basename "$0") $*" >>"$NOTES"\n'
SUDO = NOTES + '"$@"\n'
MAKE = NOTES + '[ "$1" != check ] || { echo "CHROMIUM=$CHROMIUM" >>"$NOTES"; exit 3; }\n'
PLAYWRIGHT = NOTES + '[ "$1" = -m ] || echo /playwright/chromium\n'


class Machine:
    """A machine with stand-ins for what would change it, and a checkout."""

    def __init__(self, folder: Path, *, user: int, has: Sequence[str], system: str) -> None:
        self.bin, self.notes = folder / "bin", folder / "notes"
        self.checkout = folder / "checkout"
        self.bin.mkdir()
        (self.checkout / ".ci").mkdir(parents=True)
        (self.checkout / ".venv" / "bin").mkdir(parents=True)
        shutil.copy(ROOT / ".ci" / "run", self.checkout / ".ci")
        self.system = folder / "os-release"
        self.system.write_text(f"ID={system}\n")
        for name in CALLED:
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)
        self._program("bin/id", f"#!/bin/sh\necho {user}\n")
        self._program("bin/make", MAKE)
        self._program("checkout/.venv/bin/python", PLAYWRIGHT)
        for name in (*LOOKED_FOR, *has):
            self._program(f"bin/{name}", SUDO if name == "sudo" else "#!/bin/sh\n")
        if "apt-get" in has:
            brings = f'case "$*" in *chromium*) ln -s /bin/true {self.bin}/chromium ;; esac\n'
            self._program("bin/apt-get", NOTES + brings)

    def run(self) -> tuple[int, list[str], str]:
        """Run .ci/run; return its code, what the stand-ins were called with, and its errors."""
        run = subprocess.run(
            [self.bin / "bash", ".ci/run"],
            cwd=self.checkout,
            env={"PATH": str(self.bin), "NOTES": str(self.notes), "OS_RELEASE": str(self.system)},
            capture_output=True,
            text=True,
            check=False,
        )
        noted = self.notes.read_text().splitlines() if self.notes.exists() else []
        return run.returncode, noted, run.stderr

    def _program(self, path: str, text: str) -> None:
        program = self.bin.parent / path
        program.write_text(text)
        program.chmod(0o755)


needs_locales = pytest.mark.skipif(
    not Path("/usr/share/i18n/locales/en_US").exists(), reason="needs the package locales"
)
pytestmark = needs_locales
INSTALLED = [
    "apt-get update -qq",
    "apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core",
]


@pytest.mark.parametrize("browser", ["chromium", "google-chrome"])
def test_where_nothing_is_missing_nothing_is_installed_and_nobody_has_to_be_root(
    tmp_path: Path, browser: str
) -> None:
    machine = Machine(tmp_path, user=1000, has=[browser], system="ubuntu")

    code, called, errors = machine.run()

    assert (code, errors) == (3, "")
    assert called == ["make check", f"CHROMIUM={machine.bin}/{browser}"]


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, user=0, has=["apt-get", "sudo"], system="debian")

    code, called, errors = machine.run()

    assert (code, errors) == (3, "")
    assert called == [*INSTALLED, "make check", f"CHROMIUM={machine.bin}/chromium"]


def test_a_person_with_sudo_installs_by_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, user=1000, has=["apt-get", "sudo"], system="debian")

    code, called, errors = machine.run()

    assert (code, errors) == (3, "")
    by_sudo = [line for command in INSTALLED for line in (f"sudo {command}", command)]
    assert called == [*by_sudo, "make check", f"CHROMIUM={machine.bin}/chromium"]


@pytest.mark.parametrize(
    ("has", "why"),
    [
        (["apt-get"], "Only root can install them, and there is no sudo: ask root to."),
        (["sudo"], "This is no Debian: install them as your system does it."),
    ],
    ids=["no sudo", "no Debian"],
)
def test_a_person_who_can_install_nothing_is_told_what_is_missing(
    tmp_path: Path, has: list[str], why: str
) -> None:
    machine = Machine(tmp_path, user=1000, has=has, system="debian")
    (machine.bin / "npm").unlink()

    code, called, errors = machine.run()

    missing = "npm chromium fonts-dejavu-core"
    assert (code, called, errors) == (1, [], f".ci/run: Missing here: {missing}. {why}\n")


def test_on_ubuntu_whose_package_is_a_snap_playwright_brings_the_browser(tmp_path: Path) -> None:
    machine = Machine(tmp_path, user=1000, has=["apt-get", "sudo"], system="ubuntu")

    code, called, errors = machine.run()

    assert (code, errors) == (3, "")
    assert called[:2] == ["make setup", "python -m playwright install --with-deps chromium"]
    assert called[-2:] == ["make check", "CHROMIUM=/playwright/chromium"]


def test_base_images_are_not_made_by_a_person_who_cannot_become_root(tmp_path: Path) -> None:
    machine = Machine(tmp_path, user=1000, has=["docker"], system="debian")
    for name in ("cat", "cut", "sed", "sha256sum"):
        (machine.bin / name).symlink_to(str(shutil.which(name)))

    run = subprocess.run(
        [machine.bin / "bash", ROOT / "compose" / "bases"],
        env={"PATH": str(machine.bin)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "Making saga/debian-python:3.13 of Debian's packages ...",
        "compose/bases: Only root can make a Debian system, and there is no sudo: run this as "
        "root once.",
    ]

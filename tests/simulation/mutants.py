"""Mutants of the services and of plumbing: which of them no unit test and no exploration notices.

The guards of the code are what these find. A survivor is a guard that nothing needs, or that
nothing tries; tests/simulation/survivors.txt has those that are known, with the reason of each.
"""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from unittest import mock

import hypothesis
import pytest

from explorer.mutation import Check, Mutant, Report, Verdict, mutants, overlay, run, traced
from harness.errors import UserError
from harness.releases import services

ROOT = Path(__file__).resolve().parents[2]
EXCUSES = Path(__file__).with_name("survivors.txt")
FOLDERS = (ROOT / "plumbing", *(ROOT / "services" / service for service in services(ROOT)))
# Whatever imports services or plumbing is imported again with each mutant.
PACKAGES = {*services(ROOT), "plumbing", "contracts", "harness", "infra", "tests"}
# Nothing that takes time, and that no verdict needs.
QUIET = [
    *("-q", "-x", "-o", "addopts=", "--import-mode=importlib", "--assert=plain", "--tb=no"),
    *("-p", "no:cacheprovider", "-p", "no:unraisableexception"),
]

Explore = Callable[[Mapping[Path, str]], str | None]


@dataclass
class Tests:
    """The unit tests: how long each takes, what it reaches, and how many mutants it killed."""

    seconds: dict[str, float] = field(default_factory=dict)
    reaching: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    kills: Counter[str] = field(default_factory=Counter)

    def of(self, mutant: Mutant) -> list[str]:
        """Return those that can notice a mutant: first those that noticed most in their time."""
        found = set(self.seconds)
        if mutant.lines:
            first, last = mutant.lines
            file = str(ROOT / mutant.file)
            found = set().union(*(self.reaching[file, line] for line in range(first, last + 1)))
        else:
            folders = {str(one.relative_to(ROOT)) for one in unit_tests([mutant.file])}
            found = {one for one in found if one.startswith(tuple(folders))}
        return sorted(
            found, key=lambda one: (-(self.kills[one] + 1) / (self.seconds[one] + 0.1), one)
        )


class _Plugin:
    """Lets pytest run some tests in an order, and keeps the first that failed."""

    def __init__(self, chosen: Sequence[str], seconds: Mapping[str, float]) -> None:
        self._places = {name: place for place, name in enumerate(chosen)}
        self._seconds = seconds
        self.failed = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # A loop that has no end any more is killed soon, however busy the machine is.
        signal.setitimer(signal.ITIMER_PROF, 1 + 2 * self._seconds[nodeid])

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self._places]
        items.sort(key=lambda item: self._places[item.nodeid])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or f"{report.nodeid} cannot be loaded"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


class _Recorder:
    """Lets pytest record what each test reaches."""

    def __init__(self) -> None:
        self.tests = Tests()
        self.failed = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        with traced(FOLDERS) as lines:
            yield
        for line in lines:
            self.tests.reaching[line].add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = self.tests.seconds
        seconds[report.nodeid] = seconds.get(report.nodeid, 0) + report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid


def sources() -> list[str]:
    """Return the files that mutants are made of."""
    found = (path for folder in FOLDERS for path in sorted(folder.glob("*.py")))
    return [str(path.relative_to(ROOT)) for path in found]


def chosen(files: Sequence[str], since: str | None) -> list[str]:
    """Return the files that are asked for: these, those that changed since a git ref, or all."""
    known = sources()
    if unknown := set(files) - set(known):
        named = ", ".join(sorted(unknown))
        raise UserError(f"There is no {named}: name a Python file of a service or of plumbing.")
    return [*files] or (changed_since(since) if since else known)


def changed_since(ref: str) -> list[str]:
    """Return those that changed since a git ref, also what is not committed."""
    command = ["git", "diff", "--name-only", ref, "--", "services", "plumbing"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode:
        raise UserError(f"git knows no {ref!r}: name a branch, a tag or a commit.")
    changed = set(found.stdout.split())
    return [file for file in sources() if file in changed]


def unit_tests(files: Iterable[str]) -> list[Path]:
    """Return the tests that can notice a change of these files."""
    packages = {file.split("/")[-2] for file in files}
    unit = ROOT / "tests/unit"
    found = [unit / package for package in sorted(packages)] + sorted(unit.glob("test_*.py"))
    if "plumbing" in packages:
        found = [unit]
    return [*found, ROOT / "tests/contract/test_contracts.py"]


def excuses() -> dict[str, str]:
    """Return the reason of each survivor that is known, by its id."""
    lines = EXCUSES.read_text().splitlines() if EXCUSES.exists() else []
    parted = (line.partition("  # ") for line in lines if line and not line.startswith("#"))
    return {mutant.strip(): reason for mutant, _, reason in parted}


def record(paths: Sequence[Path]) -> Tests:
    """Run unit tests as they are, and record what they reach."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # The same verdict each time, and soon.
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, max_examples=20
    )
    hypothesis.settings.load_profile("mutants")
    # Each child imports tests and services again: it finds them compiled.
    sys.pycache_prefix, sys.dont_write_bytecode = mkdtemp(), False
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)
    recorder = _Recorder()
    output = os.dup(1)
    try:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), 1)
            pytest.main([*QUIET, *map(str, paths)], plugins=[recorder])
    finally:
        sys.stdout.flush()
        os.dup2(output, 1)
        os.close(output)
    if recorder.failed or not recorder.tests.seconds:
        what = recorder.failed or "no test can be loaded"
        raise UserError(f"The unit tests fail before anything is changed: {what}.")
    return recorder.tests


def judge(
    files: Sequence[str],
    explore: Explore | None,
    progress: Callable[[int, int, Verdict], None] = lambda done, of, verdict: None,
) -> Report:
    """Make the mutants of files, run the checks on each, and return what came of them."""
    if not files:
        return Report([], excuses())
    made = [mutant for file in files for mutant in mutants(file, (ROOT / file).read_text())]
    tests = record(unit_tests(files))

    def unit(mutant: Mutant) -> str | None:
        chosen = tests.of(mutant)
        if not chosen:
            return None
        mock.patch("time.sleep").start()  # this process ends with the mutant
        # Most mutants die by tests of one file: to load the others takes longer than to run these.
        first = chosen[0].partition("::")[0]
        for some in ([first], {one.partition("::")[0] for one in chosen} - {first}):
            if some and (failed := _failed(mutant, tests, chosen, sorted(some))):
                return failed
        return None

    def limit(mutant: Mutant) -> float:
        return 5 + 2 * sum(tests.seconds[one] for one in tests.of(mutant))

    checks = [Check("loading", _load), Check("unit tests", unit, limit)]
    if explore:
        checks.append(Check("exploration", lambda mutant: explore(_source(mutant)), lambda _: 120))
    verdicts = []
    for verdict in run(made, checks):
        verdicts.append(verdict)
        if verdict.killed_by == "unit tests":
            tests.kills[verdict.why] += 1
        progress(len(verdicts), len(made), verdict)
    order = {mutant.id: place for place, mutant in enumerate(made)}
    verdicts.sort(key=lambda verdict: order[verdict.mutant.id])
    return Report(verdicts, excuses())


def _load(mutant: Mutant) -> str | None:
    """Import a changed module; those that read the environment are imported by their tests."""
    module = ".".join(Path(mutant.file).with_suffix("").parts).removeprefix("services.")
    if not mutant.lines and not module.endswith(".handler"):
        with overlay(_source(mutant), PACKAGES):
            importlib.import_module(module)
    return None


def _failed(
    mutant: Mutant, tests: Tests, chosen: Sequence[str], files: Sequence[str]
) -> str | None:
    """Run the chosen tests of some files with a mutant; return the first that fails."""
    plugin = _Plugin(chosen, tests.seconds)
    with overlay(_source(mutant), PACKAGES):
        code = pytest.main([*QUIET, *(str(ROOT / file) for file in files)], plugins=[plugin])
    return plugin.failed or (f"pytest returns {code}" if code else None)


def _source(mutant: Mutant) -> dict[Path, str]:
    return {ROOT / mutant.file: mutant.source}


def show_progress(done: int, of: int, verdict: Verdict) -> None:
    """Show on a terminal how far it is, and elsewhere what survives, as soon as it is known."""
    if not sys.stderr.isatty():
        if not verdict.killed_by:
            print(f"{done} of {of}: survives: {verdict.mutant.id}", file=sys.stderr, flush=True)
    else:
        end = "\n" if done == of else ""
        print(f"\r{done:>5} of {of} mutants", end=end, file=sys.stderr, flush=True)

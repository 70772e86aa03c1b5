"""A release of the services: a tree of files, of the working folder or of a git commit.

What a deployment of one over another changes, and whether the exploration of that change passed.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from harness.emulator import ROOT
from harness.errors import UserError

PARTS = ("services", "plumbing", "infra", "contracts")
# What of a service's folder is in its image and decides what it does.
SOURCES = ("*.py", "requirements.txt", "Dockerfile")
KEPT = 20


@dataclass(frozen=True)
class Base:
    """The release to compare with: the git ref by which it is known, and its commit."""

    ref: str
    commit: str

    def __str__(self) -> str:
        """Return both, as a person reads them."""
        return self.ref if self.ref == self.commit else f"{self.ref} ({self.commit[:7]})"


def find_base(ref: str | None, root: Path = ROOT) -> Base:
    """Return the commit that a ref names; by default the merge base with the main branch.

    Where there is no such branch it is the last commit. Raises UserError when there is no git, or
    no such ref.
    """
    if ref is None:
        for main in ("origin/main", "main", "origin/master", "master"):
            if _git(root, "rev-parse", "--verify", "--quiet", f"{main}^{{commit}}"):
                commit = _git(root, "merge-base", "HEAD", main)
                if commit:
                    return Base(f"the merge base with {main}", commit)
        ref = "HEAD"  # a clone of one commit has no branch
    commit = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if not commit:
        named = ref or "ref without a name"
        raise UserError(f"git knows no {named}: name a commit, a tag or a branch that was fetched.")
    return Base(ref, commit)


@contextmanager
def extracted(base: Base, root: Path = ROOT) -> Iterator[Path]:
    """Extract what a deployment depends on, as it was at that commit, for a while."""
    there = _git(root, "ls-tree", "--name-only", base.commit).split()
    parts = [part for part in PARTS if part in there]
    if not {"services", "plumbing", "infra"} <= set(parts):
        raise UserError(f"{base} has no services/, plumbing/ and infra/: name a later commit.")
    archive = subprocess.run(
        ["git", "archive", base.commit, *parts], cwd=root, capture_output=True, check=True
    )
    with tempfile.TemporaryDirectory(prefix="saga-release-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            # Debian 12's Python 3.11.2 knows no filters; what is extracted is git's own archive.
            files.extraction_filter = getattr(tarfile, "data_filter", None)
            files.extractall(folder)  # noqa: S202
        yield Path(folder)


def services(tree: Path) -> tuple[str, ...]:
    """Return the services of a tree: its folders under services/ that declare a participant."""
    return tuple(sorted(path.parent.name for path in tree.glob("services/*/events.py")))


def subscriptions(tree: Path) -> dict[str, tuple[str, str]]:
    """Return the rule of each service that has one: the detail-type and the source it matches.

    Read from infra/services.py, where each service's class gives both to its base as plain text.
    """
    found = {}
    for call in ast.walk(ast.parse((tree / "infra/services.py").read_text())):
        if not isinstance(call, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        match call.args, given.get("consumes"):
            case (
                [_, _, ast.Constant(value=str(service))],
                ast.Call(
                    args=[ast.Constant(value=str(detail_type))],
                    keywords=[ast.keyword(value=ast.Constant(value=str(producer)))],
                ),
            ):
                found[service] = (detail_type, f"orders.{producer}")
    return found


def changed_services(old: Path, new: Path) -> tuple[str, ...]:
    """Return the services that a deployment of `new` over `old` changes, in the flow's order."""
    found = {*services(old), *services(new)}
    before, after = subscriptions(old), subscriptions(new)
    if _digest(old / "plumbing") == _digest(new / "plumbing"):
        found = {
            service
            for service in found
            if before.get(service) != after.get(service)
            or _digest(old / "services" / service) != _digest(new / "services" / service)
        }

    def depth(service: str) -> int:
        before_it = 0
        while service in after and before_it <= len(after):
            service, before_it = after[service][1].removeprefix("orders."), before_it + 1
        return before_it

    return tuple(sorted(found, key=lambda service: (depth(service), service)))


def fingerprint(tree: Path) -> str:
    """Return a digest of all that decides what the services of a tree do to an order."""
    parts = [json.dumps(subscriptions(tree), sort_keys=True), _digest(tree / "plumbing")]
    parts += [f"{service} {_digest(tree / 'services' / service)}" for service in services(tree)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Passed(msgspec.Struct, frozen=True):
    """A change whose exploration passed: both releases, and the order to deploy services in.

    back: whether it is safe to roll back; `in order` is all services, last to first.
    """

    old: str
    new: str
    order: tuple[str, ...]
    only_in_order: bool
    back: Literal["any", "in order", "no"] = "no"


def require_passed(home: Path, deployed: Sequence[str]) -> str:
    """Return a note on deploying these services, "" for none; nothing named is all services.

    Raises UserError when one of them has changed since the merge base with the main branch, and no
    exploration of what is in the working folder has passed.
    """
    try:
        base = find_base(None)
    except UserError:
        return "Nothing to compare with, so no exploration was asked for."
    with extracted(base) as old:
        changed = changed_services(old, ROOT)
    if not set(changed) & set(deployed or changed):
        return ""
    passed = find_passed(home, fingerprint(ROOT))
    if passed is None:
        raise UserError(
            f"{', '.join(changed)} changed since {base}, and no exploration of that has passed: "
            "run `./saga explore --from`, or deploy by --anyway."
        )
    if passed.only_in_order and len(deployed) != len(passed.order):
        return f"Deploy in this order, and in no other: {', '.join(passed.order)}."
    return ""


def only_order(home: Path) -> tuple[str, ...]:
    """Return the services that changed, in the only order that is safe; empty for any order."""
    passed = find_passed(home, fingerprint(ROOT))
    return passed.order if passed and passed.only_in_order else ()


def require_way_back(home: Path, base: Base, old: Path, deployed: Sequence[str]) -> None:
    """Raise UserError unless these services can go back to an old release, from this one.

    That is what the exploration of the change from there to here has found about the way back.
    """
    pair = fingerprint(old), fingerprint(ROOT)
    found = [one for one in _remembered(home) if (one.old, one.new) == pair]
    backwards = list(reversed(found[0].order)) if found else []
    if found and (
        found[0].back == "any" or (found[0].back == "in order" and list(deployed) == backwards)
    ):
        return
    why = "it was not explored: run `./saga explore --from REF` first"
    if found:
        why = "its exploration found that this is not safe"
        if found[0].back == "in order":
            why = f"it is safe only for all of {', '.join(backwards)}, in this order"
    raise UserError(f"Back to {base}: {why}, or deploy by --anyway.")


def remember(home: Path, passed: Passed) -> None:
    """Keep that the exploration of a change passed."""
    home.mkdir(parents=True, exist_ok=True)
    kept = [one for one in _remembered(home) if (one.old, one.new) != (passed.old, passed.new)]
    _file(home).write_bytes(msgspec.json.encode([passed, *kept][:KEPT]))


def find_passed(home: Path, new: str) -> Passed | None:
    """Return what is kept of the last exploration of this release that passed, or None."""
    return next((one for one in _remembered(home) if one.new == new), None)


def _remembered(home: Path) -> Sequence[Passed]:
    try:
        return msgspec.json.decode(_file(home).read_bytes(), type=list[Passed])
    except (FileNotFoundError, msgspec.DecodeError):
        return []


def _file(home: Path) -> Path:
    return home / "explored.json"


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in folder.glob(pattern)):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    """Return what git prints, "" when it refuses."""
    if shutil.which("git") is None:
        raise UserError("git is missing: install it, and run this in a clone of the repository.")
    run = subprocess.run(
        ["git", *arguments],
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return run.stdout.strip() if run.returncode == 0 else ""

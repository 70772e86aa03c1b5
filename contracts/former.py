"""Samples of former releases, kept for as long as an event of theirs can be on its way: 15 days.

`former/<day>/<DetailType>.sample.json` has the form that was published until that day. `make
contracts` adds one when the form of an event changes. A person deletes those that are older.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any


def former_samples(folder: Path) -> Iterator[Path]:
    """Yield the samples of former releases, oldest first."""
    yield from sorted((folder / "former").glob("*/*.sample.json"))


def form(sample: Mapping[str, Any]) -> dict[str, str]:
    """Return the form of a sample: the JSON type of each field of its detail."""
    return {name: type(value).__name__ for name, value in sample["detail"].items()}


def is_kept(folder: Path, detail_type: str, sample: Mapping[str, Any]) -> bool:
    """Return whether a sample of this form is there: the present one or a former one."""
    there = [folder / "events" / f"{detail_type}.sample.json"]
    there += [path for path in former_samples(folder) if path.name == there[0].name]
    return any(form(json.loads(p.read_text())) == form(sample) for p in there if p.exists())


def keep_former(folder: Path) -> Iterator[Path]:
    """Keep the last commit's sample of each event whose form has changed since; yield the files.

    Without git or a commit there is nothing to keep.
    """
    day = _git(folder, "log", "-1", "--format=%cs")
    for path in _git(folder, "ls-tree", "--name-only", "HEAD", "events/").split():
        name = path.rpartition("/")[2]
        if not name.endswith(".sample.json"):
            continue
        text = _git(folder, "show", f"HEAD:./{path}")
        if not is_kept(folder, name.removesuffix(".sample.json"), json.loads(text)):
            # More than one form may have been published until the same day.
            days = chain([day], (f"{day}-{number}" for number in count(2)))
            places = (folder / "former" / one / name for one in days)
            kept = next(place for place in places if not place.exists())
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text + "\n")
            yield kept


def _git(folder: Path, *arguments: str) -> str:
    try:
        run = subprocess.run(  # noqa: S603 - git, with arguments of ours
            ["git", *arguments],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""

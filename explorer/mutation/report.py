"""What came of all mutants, and which survivors are excused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.mutation.runner import Verdict


@dataclass(frozen=True)
class Report:
    """The verdicts, and the excuses: a reason by the id of a mutant.

    An excuse whose id ends with `*` is for all mutants whose ids begin so.
    """

    verdicts: Sequence[Verdict]
    excuses: Mapping[str, str]

    @property
    def survivors(self) -> list[Verdict]:
        """Return the mutants that no check kills and no reason excuses."""
        return [one for one in self._survived() if not self._excuse(one.mutant.id)]

    @property
    def excused(self) -> list[tuple[Verdict, str]]:
        """Return the survivors that are excused, each with the reason."""
        found = ((one, self._excuse(one.mutant.id)) for one in self._survived())
        return [(one, self.excuses[excuse]) for one, excuse in found if excuse]

    @property
    def idle_excuses(self) -> list[str]:
        """Return the excuses of which no mutant survives, though its file was looked at."""
        files = {one.mutant.file for one in self.verdicts}
        used = {self._excuse(one.mutant.id) for one in self._survived()}
        return [one for one in self.excuses if one not in used and one.partition(":")[0] in files]

    @property
    def passes(self) -> bool:
        """Return whether all survivors are excused, and all excuses are needed."""
        return not self.survivors and not self.idle_excuses

    def lines(self) -> Iterator[str]:
        """Yield the lines of a report for people."""
        for one in self.survivors:
            yield f"survived: {one.mutant}"
            yield f"          {one.mutant.id}"
        for excuse in self.idle_excuses:
            yield f"no longer excused, because nothing survives: {excuse}"
        killed = Counter(one.killed_by for one in self.verdicts if one.killed_by)
        by = ", ".join(f"{count} by {name}" for name, count in killed.items())
        yield (
            f"{len(self.verdicts)} mutants: {killed.total()} killed ({by or 'none'}), "
            f"{len(self.excused)} excused, {len(self.survivors)} survived."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        killed = Counter(one.killed_by for one in self.verdicts if one.killed_by)
        return {
            "mutants": len(self.verdicts),
            "killed": dict(killed),
            "survivors": [_as_json(one) for one in self.survivors],
            "excused": [{**_as_json(one), "reason": why} for one, why in self.excused],
            "idleExcuses": self.idle_excuses,
            "passes": self.passes,
            "verdicts": [
                {**_as_json(one), "killedBy": one.killed_by, "why": one.why}
                for one in self.verdicts
                if one.killed_by
            ],
        }

    def _survived(self) -> Iterator[Verdict]:
        return (one for one in self.verdicts if not one.killed_by)

    def _excuse(self, mutant_id: str) -> str:
        """Return the excuse of a mutant, "" for none."""
        for excuse in self.excuses:
            if excuse == mutant_id:
                return excuse
            if excuse.endswith("*") and mutant_id.startswith(excuse[:-1]):
                return excuse
        return ""


def _as_json(verdict: Verdict) -> dict[str, Any]:
    mutant = verdict.mutant
    return {
        "id": mutant.id,
        "file": mutant.file,
        "line": mutant.line,
        "kind": mutant.kind,
        "change": mutant.change,
        "seconds": round(verdict.seconds, 2),
    }

"""Find what nothing guards: small changes of Python sources that no check notices."""

from explorer.mutation.mutants import Mutant, mutants
from explorer.mutation.overlay import overlay
from explorer.mutation.report import Report
from explorer.mutation.runner import Check, Verdict, run
from explorer.mutation.traced import traced

__all__ = ["Check", "Mutant", "Report", "Verdict", "mutants", "overlay", "run", "traced"]

"""What needs a Docker engine is skipped without one, unless skipping is forbidden."""

import os

import pytest

from harness.images import engine_problem

# CI sets this up, so that there a missing engine is a failure and not a skip.
MAY_SKIP = not os.environ.get("NO_SKIPS")

needs_engine = pytest.mark.skipif(
    MAY_SKIP and engine_problem() is not None, reason=f"needs Docker: {engine_problem()}"
)

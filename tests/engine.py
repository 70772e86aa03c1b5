"""What needs a Docker engine is skipped without one, unless skipping is forbidden."""

import os
import subprocess

import pytest

from harness.emulator import ROOT
from harness.images import engine_host, engine_problem

# CI sets this up, so that there a missing engine is a failure and not a skip.
MAY_SKIP = not os.environ.get("NO_SKIPS")
PROBLEM = engine_problem()

needs_engine = pytest.mark.skipif(
    MAY_SKIP and PROBLEM is not None, reason=f"needs Docker: {PROBLEM}"
)

# Testcontainers and docker-py look for contexts in ways of their own. With another host than that
# of a socket, a context has keys, which only they find.
if PROBLEM is None and (host := engine_host()).startswith("unix://"):
    os.environ["DOCKER_HOST"] = host


def engine_socket() -> str:
    """Return the path of the engine's socket on the engine's machine."""
    if chosen := os.environ.get("DOCKER_SOCKET"):
        return chosen
    found = subprocess.run(
        [ROOT / "compose" / "engine", "socket"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip().removeprefix("DOCKER_SOCKET=")

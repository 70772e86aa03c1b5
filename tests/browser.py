"""What needs a browser is skipped without one, unless skipping is forbidden."""

import os
import shutil

import pytest

from tests.engine import MAY_SKIP

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"

needs_chromium = pytest.mark.skipif(
    MAY_SKIP and not shutil.which(CHROMIUM),
    reason="needs Chromium: install Debian's chromium, or name one by CHROMIUM",
)

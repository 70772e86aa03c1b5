"""`python -m harness`, which the script `saga` calls."""

import sys

from harness.cli import main

sys.exit(main(sys.argv[1:]))

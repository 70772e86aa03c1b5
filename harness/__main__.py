"""`python -m harness`, which the script `saga` calls."""

import sys
from pathlib import Path

# The events' contracts are the services' own structs, and these import each other from there.
sys.path.append(str(Path(__file__).resolve().parent.parent / "services"))

from harness.cli import main  # the setting above has to come first

sys.exit(main(sys.argv[1:]))

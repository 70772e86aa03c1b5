"""The `saga` command, which the script `saga` calls by this file: Python adds no folder then."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# The events' contracts are the services' own structs, and these import each other from there.
sys.path.append(str(Path(__file__).resolve().parent.parent / "services"))

try:
    from harness.cli import main  # the settings above have to come first
except ModuleNotFoundError as error:
    sys.exit(f"saga: .venv has no {error.name}: remove .venv, and run this again to install it.")

sys.exit(main(sys.argv[1:]))

"""How long to try: each property some hundred times, or with `make fuzz` thousands of others."""

import os

from hypothesis import HealthCheck, settings

# A function's fixtures stay as they are between examples: each example begins by clearing them.
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
ALWAYS = settings(deadline=None, database=None, suppress_health_check=CHECKS, print_blob=True)
settings.register_profile("ci", ALWAYS, derandomize=True, max_examples=400)
settings.register_profile("fuzz", ALWAYS, max_examples=5_000)
settings.load_profile("fuzz" if os.environ.get("SAGA_FUZZ") else "ci")

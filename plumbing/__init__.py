"""The runtime library that all services share. It knows nothing of orders."""

import gc

# Objects made while a function starts stay alive, and Python would search them for garbage some
# ninety times: a twenty-fifth of a cold start (docs/performance.md).
gc.set_threshold(100_000)

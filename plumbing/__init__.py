"""The mechanism all services need, and no word of what any of them does."""

import gc

# What is made while a function starts stays, and Python would look through it for garbage some
# ninety times: a twenty-fifth of a cold start (docs/performance.md).
gc.set_threshold(100_000)

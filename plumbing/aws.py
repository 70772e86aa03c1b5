"""How every AWS client here waits and tries again."""

from botocore.config import Config

# Worst case of one call: 3 tries of 1 + 2 s and the pauses between them, which leaves a function
# of 20 s time for its write and its publish. A try that timed out may have taken effect: every
# call made here may be repeated.
CLIENT_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 3}
)

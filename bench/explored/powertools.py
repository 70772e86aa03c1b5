"""bench/peers/powertools: the same with the idempotency of aws-lambda-powertools."""

from bench.explored import exploration as of

exploration = of("powertools", idempotency="idempotency")

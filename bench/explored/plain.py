"""bench/peers/plain: boto3's resources and pydantic."""

from bench.explored import exploration as of

exploration = of("plain")

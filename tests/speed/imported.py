"""Import a service's handler, and tell which modules that took and what botocore read for it."""

import importlib
import json
import sys

read: list[object] = []
sys.addaudithook(lambda event, told: read.append(told[0]) if event == "open" else None)

for package in ("boto3.dynamodb.types", "msgspec.structs"):
    importlib.import_module(package)
needed = set(sys.modules)
importlib.import_module(f"{sys.argv[1]}.handler")

print(
    json.dumps(
        {
            "modules": sorted(set(sys.modules) - needed),
            "descriptions": [
                path.rpartition("/botocore/data/")[2]
                for path in read
                if isinstance(path, str) and "/botocore/data/" in path
            ],
        }
    )
)

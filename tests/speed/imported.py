"""Import a service's handler, and print which modules that took and what botocore read for it.

`python imported.py SERVICE [MODULE ...]`: those modules are imported first and not printed.
"""

import importlib
import json
import sys

read: list[object] = []
sys.addaudithook(lambda event, details: read.append(details[0]) if event == "open" else None)

for module in sys.argv[2:]:
    importlib.import_module(module)
needed = set(sys.modules)
importlib.import_module(f"{sys.argv[1]}.handler")

print(
    json.dumps(
        {
            "modules": [module for module in sys.modules if module not in needed],
            "descriptions": [
                path.rpartition("/botocore/data/")[2]
                for path in read
                if isinstance(path, str) and "/botocore/data/" in path
            ],
        }
    )
)

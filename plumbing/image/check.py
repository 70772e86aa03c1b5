"""Check that a service calls nothing that slim.py left out: `python3 check.py SOURCES ...`.

It looks for clients that are made by a name, `create_client("sqs")` or `client("sqs")`, and for
calls and paginators named like an operation that was left out, `delete_item(...)`. It reads source
text: what an installed package calls by itself it cannot see.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

# Beside this file, as the build runs it.
from slim import LEFT_OUT, declared  # type: ignore[import-not-found]

MAKERS = {"create_client", "client", "resource"}


def check(sources: list[Path], left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each call that would fail in the image; `left_out` is slim.py's."""
    services = declared(sources).keys()
    missing = {_method(operation): (operation, of) for operation, of in left_out.items()}
    for path in (path for source in sources for path in sorted(source.glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            first = node.args[0] if node.args else None
            name = first.value if isinstance(first, ast.Constant) else None
            where = f"{path.parent.name}/{path.name}:{node.lineno}"
            if called in MAKERS and isinstance(name, str) and name not in services:
                yield (
                    f"{where} makes a client of {name}, which the image does not have: declare "
                    f"its operations in OPERATIONS of the service's aws.py"
                )
            if called == "create_client" and not isinstance(name, str):
                yield f"{where} makes a client by a name that is not a text: write the name there"
            asked = name if called == "get_paginator" else called
            if asked in missing:
                operation, of = missing[str(asked)]
                yield (
                    f"{where} calls {asked}, and the image has no {of}:{operation}: add "
                    f"{operation} to {of} in OPERATIONS of the service's aws.py"
                )


def _method(operation: str) -> str:
    """Return the name of the client's method for an operation: PutItem is put_item."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation).lower()


if __name__ == "__main__":
    findings = list(check(list(map(Path, sys.argv[1:])), json.loads(Path(LEFT_OUT).read_text())))
    sys.exit("".join(f"check.py: {finding}.\n" for finding in findings) or 0)

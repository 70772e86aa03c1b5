"""Leave out of an image what its functions never read: `python3 slim.py FOLDER SOURCES ...`.

FOLDER has the installed packages. SOURCES are the folders of plumbing and of the service: the
operations of AWS that are declared in their aws.py are kept (`OPERATIONS`), all others go.

botocore brings the descriptions of all services with their documentation, the addresses of each in
all regions, and the certificates of all authorities. A cold start waits for what is parsed of
these: docs/performance.md has the figures of each step.
"""

import ast
import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Operations = Mapping[str, set[str]]

# The names of the operations that were left out, by which check.py finds a call of one.
LEFT_OUT = "left-out.json"

# Every endpoint of AWS can be verified by these, which are Amazon's own: see "Amazon Trust
# Services" in its repository of certificates.
AUTHORITIES = {
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
}


def declared(sources: Iterable[Path]) -> dict[str, set[str]]:
    """Return the operations that the aws.py of these folders declare, by service of AWS."""
    found: dict[str, set[str]] = {}
    for path in (source / "aws.py" for source in sources):
        for node in ast.parse(path.read_text()).body if path.exists() else []:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "OPERATIONS":
                for service, operations in ast.literal_eval(node.value).items():
                    found.setdefault(service, set()).update(operations)
    return found


def slim(folder: Path, operations: Operations) -> dict[str, str]:
    """Slim botocore where it is installed in this folder, but for these operations.

    Return the operations that were left out of the services that stay, each with its service.
    Raises ValueError for a service or an operation that AWS does not have.
    """
    data = folder / "botocore" / "data"
    if unknown := operations.keys() - {path.name for path in data.iterdir()}:
        raise ValueError(f"botocore has no service {', '.join(sorted(unknown))}")
    left_out: dict[str, str] = {}
    for service in data.iterdir():
        if service.is_dir() and service.name not in operations:
            shutil.rmtree(service)
        elif service.is_dir():
            names = _slim_service(service, operations[service.name])
            left_out |= dict.fromkeys(names, service.name)
    _rewrite(data / "endpoints.json", lambda endpoints: _only_of(endpoints, operations))
    certificates = folder / "botocore" / "cacert.pem"
    certificates.write_text(_only_our_authorities(certificates.read_text()))
    return left_out


def _slim_service(service: Path, operations: set[str]) -> set[str]:
    *older, latest = sorted(service.iterdir())
    for version in older:
        shutil.rmtree(version)
    [model] = latest.glob("service-2.json.gz")
    names: set[str] = set()

    def only_called(described: Any) -> Any:
        names.update(described["operations"])
        if unknown := operations - names:
            raise ValueError(f"{service.name} has no operation {', '.join(sorted(unknown))}")
        return _only_called(described, operations)

    _rewrite(model, only_called)
    [rules] = latest.glob("endpoint-rule-set-1.json.gz")
    _rewrite(rules, _without_documentation)
    return names - operations


def _only_called(model: Any, operations: set[str]) -> Any:
    """Keep these operations and the shapes that they are made of."""
    model["operations"] = {name: model["operations"][name] for name in operations}
    needed: set[str] = set()
    found = _named_shapes(model["operations"])
    while found:
        needed |= found
        found = _named_shapes([model["shapes"][name] for name in found]) - needed
    model["shapes"] = {name: model["shapes"][name] for name in sorted(needed)}
    return _without_documentation(model)


def _named_shapes(node: Any) -> set[str]:
    """Return the names of all shapes that are referred to in here."""
    if isinstance(node, list):
        return set().union(*map(_named_shapes, node))
    if not isinstance(node, dict):
        return set()
    named = {node["shape"]} if isinstance(node.get("shape"), str) else set()
    return named.union(*map(_named_shapes, node.values()))


def _without_documentation(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_documentation(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _without_documentation(part)
        for name, part in node.items()
        if name != "documentation" or not isinstance(part, str)
    }


def _only_of(endpoints: Any, operations: Operations) -> Any:
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in operations if name in services}
    return endpoints


def _only_our_authorities(bundle: str) -> str:
    """Keep the certificates under these labels; raises ValueError when one is missing."""
    found = {}
    for certificate in bundle.split("# Issuer:")[1:]:
        label = certificate.split('# Label: "')[1].split('"')[0]
        if label in AUTHORITIES:
            found[label] = f"# Issuer:{certificate.rstrip()}\n"
    if missing := AUTHORITIES - found.keys():
        raise ValueError(f"botocore's certificates are without {', '.join(sorted(missing))}")
    return "\n".join(found.values())


def _rewrite(path: Path, change: Any) -> None:
    """Change a JSON file, compressed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        content = change(json.load(file))
    with opened(path, "wt", encoding="utf-8") as file:
        json.dump(content, file, separators=(",", ":"))


if __name__ == "__main__":
    packages, *sources = map(Path, sys.argv[1:])
    try:
        left_out = slim(packages, declared(sources))
    except ValueError as error:
        sys.exit(f"slim.py: {error}: correct OPERATIONS in plumbing/aws.py or the service's aws.py")
    Path(LEFT_OUT).write_text(json.dumps(left_out))

"""Leave out of an image what its functions never read: `python3 slim.py FOLDER`.

botocore brings the descriptions of all services with their documentation, the addresses of each in
all regions, and the certificates of all authorities. A cold start waits for what is parsed of
these: docs/performance.md has the figures of each step.
"""

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any

# An operation that is not named here is unknown in images, and there alone: a test holds this to
# what the services call.
OPERATIONS = {
    "dynamodb": {"GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"},
    "events": {"PutEvents"},
}

# Every endpoint of AWS can be verified by these, which are Amazon's own: see "Amazon Trust
# Services" in its repository of certificates.
AUTHORITIES = {
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
}


def slim(folder: Path) -> None:
    """Slim botocore where it is installed in this folder."""
    data = folder / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir():
            _slim_service(service)
    _rewrite(data / "endpoints.json", _only_our_addresses)
    certificates = folder / "botocore" / "cacert.pem"
    certificates.write_text(_only_our_authorities(certificates.read_text()))


def _slim_service(service: Path) -> None:
    if service.name not in OPERATIONS:
        shutil.rmtree(service)
        return
    *older, latest = sorted(service.iterdir())
    for version in older:
        shutil.rmtree(version)
    [model] = latest.glob("service-2.json.gz")
    _rewrite(model, lambda described: _only_called(described, OPERATIONS[service.name]))
    [rules] = latest.glob("endpoint-rule-set-1.json.gz")
    _rewrite(rules, _without_documentation)


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
    """Answer the names of all shapes that are referred to somewhere in here."""
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


def _only_our_addresses(endpoints: Any) -> Any:
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in OPERATIONS if name in services}
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
    slim(Path(sys.argv[1]))

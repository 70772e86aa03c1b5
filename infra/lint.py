"""Lint the templates of every combination of settings, by cfn-lint and checkov, without a network.

A finding is mended, or acknowledged beside its resource with the reason, as cdk-nag's are:

    Validations.of(queue).acknowledge(
        Acknowledgment(id="checkov::CKV_AWS_27", reason="SQS encrypts it with a key of its own."),
    )

An acknowledgement that nothing was found for is an error as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from msgspec.structs import replace

from infra.deployment import Authorizer, Deployment

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-lint" / "bin"
# What was linted last without a problem, as a digest.
MARK = ROOT / ".saga" / "lint.sha256"

# I1022 and W3005 are about what people write: the CDK joins, and depends on what it refers to.
CFN_LINT = (
    "cfn-lint --regions ALL_REGIONS --include-checks I --ignore-checks I1022 W3005 --format json --"
)
# Without --skip-download it asks its maker's platform for more about its rules.
CHECKOV = "checkov --framework cloudformation --skip-download --quiet --compact -o json -d ."


class Finding(NamedTuple):
    """What a linter says of a resource: a path of the CDK, in a stack without the prefix."""

    stack: str
    resource: str
    rule: str
    text: str


class Acknowledged(NamedTuple):
    """A rule that need not hold for a construct and for those in it."""

    stack: str
    construct: str
    rule: str

    def covers(self, finding: Finding) -> bool:
        """Return whether the finding is acknowledged by this."""
        return (self.stack, self.rule) == (finding.stack, finding.rule) and (
            f"/{finding.resource}/".startswith(f"/{self.construct}/".replace("//", "/"))
        )


class Stack(NamedTuple):
    """A synthesized stack: its name without the prefix, and the path of each resource by its id."""

    name: str
    template: str
    paths: Mapping[str, str]
    acknowledged: Collection[Acknowledged]


def combinations() -> Iterator[Deployment]:
    """Return deployments with every combination of settings; the first has the defaults."""
    services = sorted(path.parent.name for path in ROOT.glob("services/*/handler.py"))
    settings: dict[str, tuple[Any, ...]] = {
        # The longest prefix makes the longest names.
        "prefix": (Deployment().prefix, "shop-in-a-town-with-a-long-name1"),
        "architecture": ("x86_64", "arm64"),
        "alarms_topic": (None, "arn:aws:sns:eu-central-1:111122223333:pager"),
        "reserved_concurrency": ({}, {name: 10 + n for n, name in enumerate(services)}),
        "authorizer": (None, Authorizer("https://shop.example/", ("shop",))),
    }
    for values in product(*settings.values()):
        deployment = Deployment(**dict(zip(settings, values, strict=True)))
        yield deployment
    # What is a number or a name, and changes nothing else, once with all that there is.
    place = {"account": "111122223333", "region": "eu-central-1"}
    yield replace(deployment, **place, requests_per_second=7, burst=11)


def synthesize(deployment: Deployment, folder: Path) -> list[Stack]:
    """Synthesize the stacks of a deployment into this folder."""
    # Where nothing has changed, nothing is synthesized: only to import this takes seconds.
    from aws_cdk import App

    from infra.app import build_app

    build_app(App(outdir=str(folder)), deployment).synth()
    return read_stacks(folder, deployment.prefix)


def read_stacks(assembly: Path, prefix: str) -> list[Stack]:
    """Return the stacks of an assembly, and what is acknowledged in each."""
    stacks = []
    for path in sorted(assembly.glob("*.template.json")):
        stack = path.name.removesuffix(".template.json")
        name, paths, acknowledged = stack.removeprefix(f"{prefix}-"), {}, set()
        metadata = json.loads((assembly / f"{stack}.metadata.json").read_text())
        for construct, entries in metadata.items():
            inner = construct.removeprefix(f"/{stack}").removeprefix("/")
            for entry in entries:
                if entry["type"] == "aws:cdk:logicalId":
                    paths[entry["data"]] = inner
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    acknowledged |= {Acknowledged(name, inner, rule) for rule in entry["data"]}
        stacks.append(Stack(name, path.read_text(), paths, acknowledged))
    return stacks


def problems(stacks: Collection[Stack]) -> list[str]:
    """Return a line for each finding in these stacks that is not acknowledged, and vice versa."""
    findings = run_linters(stacks)
    return unsettled(findings, {one for stack in stacks for one in stack.acknowledged})


def unsettled(findings: Collection[Finding], acknowledged: Iterable[Acknowledged]) -> list[str]:
    """Return a line for each finding that is not acknowledged, and for each that is not found.

    What is acknowledged of other linters is not looked at.
    """
    own = {one for one in acknowledged if one.rule.startswith(("cfn-lint::", "checkov::"))}
    lines = {one for one in findings if not any(known.covers(one) for known in own)}
    for known in own:
        if not any(known.covers(finding) for finding in findings):
            lines.add(Finding(*known, "is acknowledged and not found: remove it there."))
    return [": ".join(line) for line in sorted(lines)]


def run_linters(stacks: Iterable[Stack]) -> set[Finding]:
    """Return what the linters find, each in one run over all templates that differ."""
    different = {stack.template: stack for stack in stacks}
    named = {f"{n}.template.json": stack for n, stack in enumerate(different.values())}
    with TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        for name, stack in named.items():
            (Path(folder) / name).write_text(stack.template)
        # Either tells by its code that it found something, cfn-lint also how grave that is.
        cfn_lint = pool.submit(_run, f"{CFN_LINT} {' '.join(named)}", folder, range(0, 16, 2))
        checkov = pool.submit(_run, CHECKOV, folder, range(2))
        return {*_of_cfn_lint(cfn_lint.result(), named), *_of_checkov(checkov.result(), named)}


def _run(command: str, folder: str, codes: Collection[int]) -> Any:
    """Run a linter, without what a person has set for it; return its report."""
    tool, *arguments = command.split()
    run = subprocess.run(
        [TOOLS / "python", "-I", "-X", "utf8", TOOLS / tool, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": folder},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if run.returncode not in codes:
        raise RuntimeError(f"{tool} ends with {run.returncode}: {run.stderr or run.stdout}")
    return json.loads(run.stdout)


def _of_cfn_lint(report: Any, named: Mapping[str, Stack]) -> Iterator[Finding]:
    for found in report:
        stack = named[found["Filename"]]
        match found["Location"]["Path"]:
            case ["Resources", str(logical_id), *_]:
                resource = stack.paths.get(logical_id, logical_id)
            case _:
                resource = "template"
        rule = f"cfn-lint::{found['Rule']['Id']}"
        yield Finding(stack.name, resource, rule, found["Message"])


def _of_checkov(report: Any, named: Mapping[str, Stack]) -> Iterator[Finding]:
    if report["summary"]["parsing_errors"]:
        raise RuntimeError(f"checkov cannot read all templates: {report}")
    for found in report["results"]["failed_checks"]:
        stack = named[found["file_path"].removeprefix("/")]
        logical_id = found["resource"].rpartition(".")[2]
        resource = stack.paths.get(logical_id, logical_id)
        yield Finding(stack.name, resource, f"checkov::{found['check_id']}", found["check_name"])


def main() -> int:
    """Lint everything, unless nothing has changed since that found no problem."""
    files = [*ROOT.glob("infra/**/*.py"), *ROOT.glob("services/*/handler.py")]
    files += [ROOT / "requirements" / name for name in ("dev.txt", "lint.txt")]
    contents = "".join(f"{path}\n{path.read_text()}" for path in sorted(files))
    digest = hashlib.sha256(contents.encode()).hexdigest()
    if MARK.exists() and MARK.read_text() == digest:
        return 0
    stacks: list[Stack] = []
    with TemporaryDirectory() as folder:
        for number, deployment in enumerate(combinations()):
            stacks += synthesize(deployment, Path(folder) / str(number))
    if found := problems(stacks):
        print("\n".join(found), "Mend it, or acknowledge it as infra/lint.py says.", sep="\n")
        return 1
    MARK.parent.mkdir(exist_ok=True)
    MARK.write_text(digest)
    return 0


if __name__ == "__main__":
    sys.exit(main())

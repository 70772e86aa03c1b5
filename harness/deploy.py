"""Synthesize the CDK app and deploy its stacks to an emulator."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from botocore.exceptions import ClientError

from harness.connect import PYTHON, ask, environment, http, session
from harness.emulator import LOCALSTACK_HOST, ROOT
from harness.errors import UserError
from harness.logs import REFUSALS
from harness.names import PREFIX, stack_name
from harness.saga import SERVICES

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"
STACK_SECONDS = 120


def architecture() -> str:
    """Return the architecture to build functions for: SAGA_ARCHITECTURE, or this machine's."""
    is_arm = platform.machine() in ("aarch64", "arm64")
    return os.environ.get("SAGA_ARCHITECTURE") or ("arm64" if is_arm else "x86_64")


def synthesize(
    folder: Path, prefix: str = PREFIX, *, root: Path = ROOT, to_aws: bool = False
) -> Path:
    """Synthesize the CDK app of a tree, unless nothing it reads has changed; return the result.

    It is for an emulator, in the architecture of what runs that, or for AWS, by the settings alone.
    """
    if shutil.which("node") is None:
        raise UserError("The CDK needs Node.js: install node 20 or newer, then run this again.")
    if prefix != PREFIX:
        folder = folder / prefix  # so that neither replaces the other
    assembly, mark = folder / "cdk.out", folder / "cdk.out.sha256"
    # What pip needs in a build is part of what the CDK is told, and of no template.
    certificates = {n: os.environ[n] for n in ("PIP_CERT", "SSL_CERT_FILE") if n in os.environ}
    variables = {"SAGA_PREFIX": prefix, **(certificates if to_aws else {})}
    arguments = [] if to_aws else [architecture()]
    parts = ("infra", "plumbing", "services", "requirements")
    state = f"{_fingerprint(root, parts)} {arguments} {variables}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "cdk.out.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (assembly.exists() and mark.exists() and mark.read_text() == state):
            mark.unlink(missing_ok=True)
            shutil.rmtree(assembly, ignore_errors=True)
            _run_the_app(root, assembly, arguments, variables)
            mark.write_text(state)
    return assembly


def _run_the_app(
    root: Path, assembly: Path, arguments: Sequence[str], variables: Mapping[str, str]
) -> None:
    run = _synthesis(root, assembly, arguments, variables)
    # It is below HOME, which may be read-only, or of others too. Without it all takes 7 s longer.
    if run.returncode and "the jsii package cache" in run.stderr:
        disabled = {"JSII_RUNTIME_PACKAGE_CACHE": "disabled"}
        run = _synthesis(root, assembly, arguments, {**variables, **disabled})
    if run.returncode:
        log = assembly.with_name("synthesis.log")
        log.write_text(run.stderr, encoding="utf-8")
        raise UserError(
            f"The CDK app does not synthesize: {_reason(run.stderr)} (all of it: {log})"
        )


def _synthesis(
    root: Path, assembly: Path, arguments: Sequence[str], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PYTHON, str(root / "infra" / "__main__.py"), *arguments],
        cwd=root,
        env={**environment(), **variables, "CDK_OUTDIR": str(assembly)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def deploy(
    endpoint: str,
    assembly: Path,
    stack: str,
    *,
    prefix: str = PREFIX,
    as_images: bool = False,
    package: Callable[[str, Path], bytes] | None = None,
    root: Path = ROOT,
) -> None:
    """Deploy one stack of the assembly; raises UserError, naming the resource, when it fails.

    As images, the template is deployed as it is; else its functions run as processes, of plumbing
    as it is in the tree `root`. `package` returns other code for them: the zip for a service, given
    its name and the folder of its files.
    """
    cloudformation = session().client("cloudformation", endpoint_url=endpoint)
    # Every CDK template asks for the version of the environment's bootstrap stack.
    session().client("ssm", endpoint_url=endpoint).put_parameter(
        Name=BOOTSTRAP_VERSION, Value="30", Type="String", Overwrite=True
    )
    template = json.loads((assembly / f"{stack}.template.json").read_text())
    if not as_images:
        package = package or functools.partial(_package, root)
        _run_as_processes(endpoint, assembly, template, prefix, package)
    _create_or_update(cloudformation, stack, template)


def api_url(endpoint: str, prefix: str = PREFIX) -> str:
    """Return the URL of the orders' API on the emulator, as its stack's output names it.

    Raises UserError when the emulator has no such APIs.
    """
    cloudformation = session().client("cloudformation", endpoint_url=endpoint)
    [stack] = cloudformation.describe_stacks(StackName=stack_name("create_order", prefix))["Stacks"]
    [url] = [
        output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "ApiUrl"
    ]
    # The output is an address of AWS, which has the API's id as its first label.
    found = re.search(r"([^/.]+)\.execute-api\.([^:]+)", url)
    if found is None:
        raise UserError(
            f"The emulator has no HTTP APIs (the output ApiUrl is {url}): LocalStack has them from "
            "its Base plan on."
        )
    by_path = f"{endpoint}/_aws/execute-api/{found[1]}"
    # LocalStack documents the stage as part of such a URL, and not whether it may be left out.
    if found[2] == LOCALSTACK_HOST and not _is_api(by_path):
        return f"{by_path}/$default"
    return by_path


def _is_api(url: str) -> bool:
    """Return whether it is the orders' API: that has no GET of all orders, but knows the path."""
    try:
        with http() as client:
            return ask(client, "GET", f"{url}/orders").status_code != httpx.codes.NOT_FOUND
    except httpx.HTTPError:
        return False


def startup_failures(endpoint: str, prefix: str = PREFIX) -> Iterator[str]:
    """Call every function with an empty event, and yield why those fail that do not start.

    A function that starts refuses the event with an error of its own.
    """
    functions = session().client("lambda", endpoint_url=endpoint)
    for service in SERVICES:
        response = functions.invoke(FunctionName=stack_name(service, prefix), Payload=b"{}")
        error = json.loads(response["Payload"].read() or b"{}")
        refuses = f"{error.get('errorType')}: {error.get('errorMessage')}".startswith(REFUSALS)
        if "FunctionError" in response and not refuses:
            yield f"{service} does not start: {str(error.get('errorMessage', error))[:300]}"


def _run_as_processes(
    endpoint: str,
    assembly: Path,
    template: dict[str, Any],
    prefix: str,
    package: Callable[[str, Path], bytes],
) -> None:
    """Run the template's functions as processes: the only difference without Docker.

    A function of an image becomes a function whose `bootstrap` starts the same runtime client on
    the same files: what the image's build would get, its asset folder and plumbing, nothing else.
    """
    s3 = session().client("s3", endpoint_url=endpoint)
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Lambda::Function":
            continue
        properties = resource["Properties"]
        service = properties["FunctionName"].removeprefix(f"{prefix}-").replace("-", "_")
        digest = properties["Code"]["ImageUri"]["Fn::Sub"].rpartition(":")[2]
        code = package(service, assembly / f"asset.{digest}")
        key = f"{service}-{hashlib.sha256(code).hexdigest()}.zip"
        bucket = f"{prefix}-local-code"
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=code)
        properties["Code"] = {"S3Bucket": bucket, "S3Key": key}
        properties["PackageType"] = "Zip"
        properties["Runtime"] = "provided.al2023"
        properties["Handler"] = f"{service}.handler.handle"


def _package(root: Path, service: str, asset: Path) -> bytes:
    """Zip a service's files with plumbing and the start of the runtime client."""
    files = bootstrap()
    for folder, name in ((asset, service), (root / "plumbing", "plumbing")):
        files |= {
            f"{name}/{path.relative_to(folder)}": path.read_bytes()
            for path in sorted(folder.glob("*.py"))
        }
    return zipped(files)


def bootstrap() -> dict[str, bytes]:
    """Return the file that starts the runtime client in a function that is a process."""
    # Without -E, PYTHONSAFEPATH would hide the function's own files, which lie where it starts.
    start = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -Es -m awslambdaric "$_HANDLER"\n'
    return {"bootstrap": os.fsencode(start)}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Zip files by their names, always to the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # With a fixed time, the same files are the same zip.
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _create_or_update(
    cloudformation: CloudFormationClient, stack: str, template: dict[str, Any]
) -> None:
    request: Any = {
        "StackName": stack,
        "TemplateBody": json.dumps(template),
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        try:
            cloudformation.create_stack(**request)
        except cloudformation.exceptions.AlreadyExistsException:
            cloudformation.update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise UserError(f"Stack {stack} is refused: {error}.") from error
    deadline = time.monotonic() + STACK_SECONDS
    while True:
        [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        status = described["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return
        if not status.endswith("_IN_PROGRESS"):
            raise UserError(f"Stack {stack} is {status}: {_failure(cloudformation, stack)}")
        if time.monotonic() > deadline:
            raise UserError(f"Stack {stack} is still {status} after {STACK_SECONDS} s: try again.")
        time.sleep(0.02)


def _failure(cloudformation: CloudFormationClient, stack: str) -> str:
    """Return CloudFormation's reason for the first resource that failed."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    if not failed:
        return "no resource has a reason."
    first = min(failed, key=lambda event: event["Timestamp"])
    return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', 'no reason')}."


def _fingerprint(root: Path, parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted((root / part).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(root)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("b'!")]
    return lines[-1].strip() if lines else "it gives no reason"

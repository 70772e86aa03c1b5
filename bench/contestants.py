"""Who is measured: the saga, its peers, and the flow that does nothing; how each is built and run.

All run as processes of this machine over the same Runtime API, each function with the files that
its image or zip would have: the packages in a folder of their own, and its code.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from contracts import participants
from harness.connect import REGION
from harness.deploy import zipped
from harness.emulator import ROOT
from harness.environment import HOME
from harness.errors import UserError

FILES = HOME / "bench"
PEERS = ROOT / "bench" / "peers"
TYPESCRIPT = PEERS / "typescript"
FIVE = tuple(name for name, one in participants().items() if not one.republishes)
IDEMPOTENCY_TABLE = "order-saga-idempotency"
# The SDK warns of Node 20 at each start.
_QUIET_NODE = {"NODE_NO_WARNINGS": "1"}
# Code in a function's folder cannot be written to: what is not compiled stays so.
READ_ONLY = {"PYTHONDONTWRITEBYTECODE": "1"}

Report = Callable[[str], None]
Files = Mapping[str, bytes]


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One way of writing the same flow; `packages` is the folder of what it depends on."""

    name: str
    title: str
    packages: Path | None
    code: Callable[[str], Files]  # the files of a service's function
    command: Callable[[str], Sequence[str]]  # what starts it, in the folder of those files
    environment: Mapping[str, str] = {}
    links: Mapping[str, Path] = {}  # folders that have to lie beside those files

    def unpack(self, service: str) -> Path:
        """Write a function's files into a folder of their own, and return it."""
        folder = FILES / "functions" / self.name / service
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in self.code(service).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name, target in self.links.items():
            (folder / name).symlink_to(target)
        return folder

    def zipped(self, service: str, environment: Mapping[str, str]) -> bytes:
        """Zip a function's files with a `bootstrap` that starts it, with this environment too."""
        exports = "".join(
            f"export {name}='{value}'\n"
            for name, value in {**self.environment, **environment}.items()
        )
        start = " ".join(f'"{word}"' for word in self.command(service))
        bootstrap = f"#!/bin/sh\n{exports}exec {start}\n".encode()
        return zipped({"bootstrap": bootstrap, **self.code(service)})


def settings(service: str) -> dict[str, str]:
    """Return the settings that the stack of a service gives its function, and Lambda adds."""
    return {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": service,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "EVENT_BUS_NAME": "order-saga",
        "EVENT_SOURCE": f"orders.{service}",
        "ORDERS_TABLE": "order-saga-orders",
        "INVENTORY_TABLE": "order-saga-inventory",
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }


def saga(report: Report) -> Contestant:
    """Return the saga as its images have it."""
    report("Installing the saga's packages, slimmed as in its images")
    return _saga("saga", "the saga", _packages(_SAGA_PINS, slimmed=True))


def saga_unslimmed(report: Report) -> Contestant:
    """Return the saga with its packages as pip installs them."""
    report("Installing the saga's packages as they come")
    return _saga("saga-unslimmed", "the saga, packages as they come", _packages(_SAGA_PINS))


def plain(report: Report) -> Contestant:
    """Return ordinary Python: boto3's resources and pydantic."""
    report("Installing the packages of plain Python")
    return _python(
        "plain", "plain boto3, pydantic", _packages(PEERS / "plain" / "requirements.txt")
    )


def powertools(report: Report) -> Contestant:
    """Return Python with aws-lambda-powertools."""
    report("Installing the packages of Powertools")
    packages = _packages(PEERS / "powertools" / "requirements.txt")
    contestant = _python("powertools", "Powertools", packages)
    return msgspec.structs.replace(
        contestant,
        environment={
            **contestant.environment,
            "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
            "POWERTOOLS_SERVICE_NAME": "order-saga",
        },
    )


def noop(report: Report) -> Contestant:
    """Return the flow that only publishes the events: the floor."""
    report("Installing the packages of the no-op flow")
    packages = _packages(PEERS / "plain" / "requirements.txt")
    return _python("noop", "no-op handlers", packages)


def typescript(report: Report) -> Contestant:
    """Return TypeScript, bundled and minified by esbuild."""
    built = _build_typescript(report)
    return Contestant(
        name="typescript",
        title="TypeScript, bundled",
        packages=None,
        code=lambda service: {
            "runtime.mjs": (TYPESCRIPT / "runtime.mjs").read_bytes(),
            f"{service}.mjs": (built / "bundled" / f"{service}.mjs").read_bytes(),
        },
        command=lambda service: (_node(), "runtime.mjs", f"{service}.mjs", "handler"),
        environment=_QUIET_NODE,
    )


def typescript_unbundled(report: Report) -> Contestant:
    """Return TypeScript, compiled and not bundled: the packages as npm installs them."""
    built = _build_typescript(report)

    def code(_: str) -> Files:
        compiled = {path.name: path.read_bytes() for path in (built / "compiled").glob("*.js")}
        return {
            "runtime.mjs": (TYPESCRIPT / "runtime.mjs").read_bytes(),
            "package.json": b'{"type": "module"}',
            **compiled,
        }

    return Contestant(
        name="typescript-unbundled",
        title="TypeScript, not bundled",
        packages=built / "node_modules",
        code=code,
        command=lambda service: (_node(), "runtime.mjs", f"{service}.js", "handler"),
        environment=_QUIET_NODE,
        links={"node_modules": built / "node_modules"},
    )


_SAGA_PINS = ROOT / "services" / "charge_payment" / "requirements.txt"


def _saga(name: str, title: str, packages: Path) -> Contestant:
    def code(service: str) -> Files:
        sources = [
            (f"{package}/{path.name}", path)
            for package, folder in (
                (service, ROOT / "services" / service),
                ("plumbing", ROOT / "plumbing"),
            )
            for path in sorted(folder.glob("*.py"))
        ]
        return {**{name: path.read_bytes() for name, path in sources}, **_compiled(sources)}

    return Contestant(
        name=name,
        title=title,
        packages=packages,
        code=code,
        command=lambda service: (
            _python_command(),
            "-m",
            "awslambdaric",
            f"{service}.handler.handle",
        ),
        environment={"PYTHONPATH": str(packages), **READ_ONLY},
    )


def _compiled(sources: Sequence[tuple[str, Path]]) -> dict[str, bytes]:
    """Compile the code as the images do, and return the files of byte code."""
    scratch = FILES / "compiled.pyc"
    compiled = {}
    for name, path in sources:
        py_compile.compile(
            str(path),
            cfile=str(scratch),
            dfile=name,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        folder, _, file = name.rpartition("/")
        tag = f"{file.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
        compiled[f"{folder}/__pycache__/{tag}"] = scratch.read_bytes()
    return compiled


def _python(name: str, title: str, packages: Path) -> Contestant:
    sources = PEERS / name
    return Contestant(
        name=name,
        title=title,
        packages=packages,
        code=lambda _: {path.name: path.read_bytes() for path in sorted(sources.glob("*.py"))},
        command=lambda service: (_python_command(), "-m", "awslambdaric", f"{service}.handler"),
        environment={"PYTHONPATH": str(packages), **READ_ONLY},
    )


def _python_command() -> str:
    """Return a Python with no packages of its own."""
    folder = FILES / f"python-{platform.python_version()}"
    if not (folder / "bin" / "python").exists():
        venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise UserError("The TypeScript peer needs Node.js: install node 20 or newer.")
    return node


def _packages(pins: Path, *, slimmed: bool = False) -> Path:
    """Install pinned packages into a folder, as the Dockerfiles do, unless that is done."""
    slim = ROOT / "plumbing" / "image" / "slim.py"
    state = [sys.version, str(slimmed), pins.read_text(), slim.read_text() if slimmed else ""]
    digest = hashlib.sha256("\0".join(state).encode()).hexdigest()[:16]
    folder = FILES / "packages" / digest
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _run(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-compile", "--require-hashes", "--requirement", str(pins)),
            *("--target", str(unfinished)),
        )
        if slimmed:
            _run(
                sys.executable,
                str(slim),
                str(unfinished),
                str(ROOT / "plumbing"),
                cwd=folder.parent,
            )
        compileall.compile_dir(
            unfinished,
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        unfinished.rename(folder)
    return folder


def _build_typescript(report: Report) -> Path:
    """Compile and bundle the TypeScript peer in a copy of it, unless that is done."""
    sources = [*sorted(TYPESCRIPT.glob("*.json")), *sorted((TYPESCRIPT / "src").glob("*.ts"))]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = FILES / "typescript" / digest
    if not folder.exists():
        report("Building the TypeScript peer")
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        ours = shutil.ignore_patterns("node_modules", "compiled", "bundled")
        shutil.copytree(TYPESCRIPT, unfinished, ignore=ours)
        for arguments in (["ci"], ["run", "build"], ["prune", "--omit=dev"]):
            _run("npm", *arguments, "--silent", cwd=unfinished)
        unfinished.rename(folder)
    return folder


def _run(*command: str, cwd: Path | None = None) -> None:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = [line for line in (ran.stderr + ran.stdout).splitlines() if line.strip()]
        raise UserError(
            f"`{' '.join(command[:3])} ...` fails: {lines[-1] if lines else 'silently'}"
        )

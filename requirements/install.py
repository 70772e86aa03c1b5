"""Install environments of exactly the pinned packages: install.py [--check] NAME ...

Each is built beside the one in use, verified, and takes its place by one rename: what fails or is
interrupted changes nothing. With --check it only tells by its exit code whether all are ready.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # this Python is whichever the machine has
    sys.exit("saga: Python 3.11 or newer is needed: name one, such as PYTHON=python3.12.")

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
FOLDER = os.path.join(ROOT, ".venvs")
# The link to each, what a person is told of it, and what has to be importable before it is used.
ENVIRONMENTS = {
    "dev": (
        ".venv",
        "the saga and its tools",
        "awslambdaric boto3 check_jsonschema dotenv httpx hypothesis importlinter jsii msgspec "
        "mypy pytest rich ruff schemathesis starlette time_machine uvicorn",
    ),
    "emulator": (".venv-emulator", "the emulator", "ministack.app"),
    "lint": (".venv-lint", "the linters of the templates", "cfnlint checkov"),
    "bench": (".venv-bench", "what draws the plots", "matplotlib"),
}
# What in a person's configuration of pip says how packages are reached. All else in it says which
# ones, or where they go, and that is decided here.
NETWORK = {
    *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy"),
    *("cert", "client-cert", "keyring-provider", "use-feature", "use-deprecated"),
    *("timeout", "default-timeout", "retries", "cache-dir", "no-cache-dir"),
}


class Problem(Exception):
    """Why an environment cannot be installed, in a sentence that says what to do."""


def main(arguments: list[str]) -> int:
    """Install the named environments that are not ready; return the exit code."""
    only_check = "--check" in arguments
    names = [name for name in arguments if name != "--check"]
    try:
        for name in names:
            if not is_ready(name):
                if only_check:
                    return 1
                install(name)
    except Problem as problem:
        print(f"saga: {problem}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"saga: The set-up needs something of this machine that it does not get: "
            f"{error.strerror or error}{where}; nothing was changed.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nsaga: The set-up was interrupted; nothing was changed.", file=sys.stderr)
        return 130
    return 0


def is_ready(name: str) -> bool:
    """Return whether an environment was made here of what is pinned now, by a Python still there.

    By content, because times of files lie; in one that was copied, scripts lead to the original.
    """
    link = os.path.join(ROOT, ENVIRONMENTS[name][0])
    try:
        with open(os.path.join(link, "ready"), "rb") as ready:
            return os.path.exists(_python(link)) and ready.read() == _state(name, link)
    except OSError:
        return False


def _state(name: str, environment: str) -> bytes:
    with open(os.path.join(ROOT, "requirements", f"{name}.txt"), "rb") as pins:
        paths = os.path.realpath(environment), os.path.realpath(_python(environment))
        return b"\n".join([*map(os.fsencode, paths), pins.read()])


def _python(environment: str) -> str:
    return os.path.join(environment, "bin", "python")


# The check runs before every command, and imports nothing: what follows is for the set-up itself.


def install(name: str) -> None:
    """Build an environment and put it in its place; raises Problem or OSError, nothing changed.

    A second call meanwhile waits for the first, and has then nothing to do.
    """
    import fcntl
    import shutil
    import signal
    import time

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    path = os.fsencode(ROOT)
    if b":" in path or b"\n" in path or path.decode(errors="ignore").encode() != path:
        raise Problem(
            f"No environment works in a path with a colon or a line break, or that is not UTF-8: "
            f"move {ROOT!r} to another."
        )
    if os.path.islink(FOLDER):
        os.unlink(FOLDER)  # another checkout's
    os.makedirs(FOLDER, exist_ok=True)
    link, what, _ = ENVIRONMENTS[name]
    with open(os.path.join(FOLDER, f"{name}.lock"), "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another set-up installs {what}: waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if is_ready(name):
            return
        print(f"Installing {what} into {link} ...", flush=True)
        began = time.monotonic()
        _remove_unused(name)
        new = os.path.join(FOLDER, f"{name}-{os.getpid()}")
        try:
            _build(name, new)
            _switch(os.path.join(ROOT, link), new)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        _remove_unused(name)
        print(f"Installed {what} in {time.monotonic() - began:.0f} s.", flush=True)


def _remove_unused(name: str) -> None:
    """Remove what other set-ups of this environment left, but not what is in use."""
    import shutil

    used = os.path.realpath(os.path.join(ROOT, ENVIRONMENTS[name][0]))
    for other in os.scandir(FOLDER):
        if other.name.startswith(f"{name}-") and other.path != used:
            if other.is_symlink():
                os.unlink(other.path)
            else:
                shutil.rmtree(other.path, ignore_errors=True)


def _build(name: str, new: str) -> None:
    import importlib.util
    import subprocess

    if importlib.util.find_spec("ensurepip") is None:
        raise Problem("This Python makes no environments: install your system's python3-venv.")
    clean = {
        variable: value
        for variable, value in os.environ.items()
        if not variable.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV", "__PYVENV"))
    }
    isolated = [_python(new), "-I"]
    _require([sys.executable, "-I", "-m", "venv", "--without-pip", new], clean)
    # By itself, as venv hides why it fails.
    _require([*isolated, "-m", "ensurepip", "--default-pip"], clean)
    pip = [*isolated, "-m", "pip"]
    pins = os.path.join(ROOT, "requirements", f"{name}.txt")
    options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes")
    installed = subprocess.run(
        [*pip, "install", *options, "--requirement", pins],
        env=clean | _network(pip, clean),
        check=False,
    )
    if installed.returncode:
        raise Problem(
            "Packages could not be installed, and nothing was changed: see pip's message above, "
            "then run this again."
        )
    _require([*isolated, "-c", f"import {ENVIRONMENTS[name][2].replace(' ', ', ')}"], clean)
    with open(os.path.join(new, "ready"), "wb") as ready:
        ready.write(_state(name, new))


def _require(command: list[str], environ: dict[str, str]) -> None:
    import subprocess

    run = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if run.returncode:
        lines = run.stdout.decode(errors="replace").split("\n")
        errors = [line for line in lines if line.startswith("ERROR: ")]  # pip's, before a traceback
        said = (errors or [line for line in lines if line.strip()] or ["it says nothing"])[-1]
        raise Problem(f"The set-up did not work, and nothing was changed: {said}")


def _network(pip: list[str], clean: dict[str, str]) -> dict[str, str]:
    """Return what pip is told: of a person's configuration, what the network needs."""
    import ast
    import subprocess

    kept = {f"PIP_{key.upper().replace('-', '_')}" for key in NETWORK} | {"PIP_CONFIG_FILE"}
    own = {variable: os.environ[variable] for variable in kept if variable in os.environ}
    listed = subprocess.run(
        [*pip, "config", "list"],
        # Without these, `user` or `python` in a file would decide what is listed, and by whom.
        env=clean | own | {"PIP_USER": "0", "PIP_PYTHON": pip[0]},
        stdout=subprocess.PIPE,
        check=False,
    )
    if listed.returncode:
        raise Problem("pip's configuration cannot be read: see its message above.")
    lines = listed.stdout.decode(errors="surrogateescape").splitlines()
    found = {"PIP_CONFIG_FILE": os.devnull}
    for section in ("global.", "install.", ":env:."):
        for line in lines:
            key, _, value = line.removeprefix(section).partition("=")
            # pip takes what is set to nothing as not set.
            if line.startswith(section) and key in NETWORK and ast.literal_eval(value):
                found[f"PIP_{key.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return found


def _switch(link: str, new: str) -> None:
    """Let the link lead to the new environment, and its scripts to the link."""
    for script in os.scandir(os.path.join(new, "bin")):
        if not script.is_symlink():
            with open(script.path, "r+b") as file:
                text = file.read()
                if os.fsencode(new) in text:
                    file.seek(0)
                    file.write(text.replace(os.fsencode(new), os.fsencode(link)))
                    file.truncate()
    prepared = f"{new}.link"
    os.symlink(os.path.relpath(new, os.path.dirname(link)), prepared)
    if os.path.islink(link) or not os.path.exists(link):
        os.replace(prepared, link)
        return
    os.rename(link, f"{new}.former")  # what is no link cannot be replaced by one
    try:
        os.replace(prepared, link)
    except BaseException:
        os.rename(f"{new}.former", link)
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

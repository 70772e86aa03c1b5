"""A function's process, given events one by one, and what it took of this machine."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Self

from bench.contestants import FILES, Contestant, settings
from bench.stand_ins import Aws, RuntimeApi


class Function:
    """A process of one function, between its start and its end."""

    def __init__(
        self, contestant: Contestant, service: str, folder: Path, aws: Aws, *before: str
    ) -> None:
        """Start it in the folder of its files; what comes `before` its command runs the command."""
        self._runtime = RuntimeApi().__enter__()
        environment = {
            **settings(service),
            **contestant.environment,
            **aws.trusted_by(contestant.packages),
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._runtime.port}",
            "LAMBDA_TASK_ROOT": str(folder),
            "PYTHONHASHSEED": "0",
        }
        self._began = time.perf_counter()
        self.process = subprocess.Popen(
            [*before, *contestant.command(service)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        self._proc = Path(f"/proc/{self.process.pid}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()
        self._runtime.__exit__()

    def ready(self) -> float:
        """Wait for its first `next`; return the milliseconds since its start."""
        return 1000 * (self._runtime.wait_for("next", self.process).at - self._began)

    def handle(self, event: bytes) -> float:
        """Let it handle an event and come back for the next; return its milliseconds."""
        given = time.perf_counter()
        self._runtime.give(event)
        answered = self._runtime.wait_for("response", self.process).at
        self._runtime.wait_for("next", self.process)
        return 1000 * (answered - given)

    def cpu_ms(self) -> float:
        """Return the processor time that all its threads had, in milliseconds."""
        tasks = (self._proc / "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6

    def peak_memory(self) -> int:
        """Return the most bytes of memory that it had."""
        lines = (self._proc / "status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def bytes_loaded(self) -> int:
        """Return the bytes that it read of files, and those of its packages' libraries."""
        read = (self._proc / "io").read_text().splitlines()[0].removeprefix("rchar: ")
        maps = (self._proc / "maps").read_text().splitlines()
        libraries = {line.split(maxsplit=5)[5] for line in maps if str(FILES) in line}
        return int(read) + sum(Path(library).stat().st_size for library in libraries)

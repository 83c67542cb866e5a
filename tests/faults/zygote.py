"""A process in which everything is imported and nothing has run: every job is the real command, in a fork of it.

`python -m tests.faults.zygote` reads jobs as lines of JSON from standard input and answers each with a line. It starts
no engine and no thread pool itself, so what a fork finds is what a new process finds once its imports are done; a job's
process ends as any does, its exit handlers run. Some hundred kills cost what some dozen new processes would.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import typer.main

import investigate
from investigate.cli import main as investigate_main
from investigate.cli import program
from investigate.lake import rollup

if TYPE_CHECKING:
    from types import TracebackType

_LAZY: Final = ("pandas", "polars", "pyarrow.dataset", "pyarrow.compute", "pyarrow.parquet", "boto3", "encodings.idna")
"""What the libraries import when they are first used."""
_APART: Final = ("investigate.sandbox", "investigate.widgets", "investigate.case.spark", "investigate.notebooks")
_STEPS: Final = frozenset(
    {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.rmtree"}
    | {"sqlite3.connect", "fcntl.flock"}
)
"""Of what Python tells its audit hooks, that which may change a file; `open` for writing too."""


@dataclass(frozen=True)
class Job:
    """A command to run, and when to kill it.

    Attributes:
        arguments: of `investigate`.
        folder: its case; the process's life is counted from when it first touches it.
        environment: over that of this process.
        input: what it finds on standard input.
        after: seconds of that life, then SIGKILL.
        largest: bytes; no file of the process can grow beyond (`RLIMIT_FSIZE`).
        step: SIGKILL before its so-and-so-many-th step, from 0: see `_STEPS`.
    """

    arguments: tuple[str, ...]
    folder: str
    environment: dict[str, str] = field(default_factory=dict)
    input: str = ""
    after: float | None = None
    step: int | None = None
    largest: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a job's process ended.

    Attributes:
        code: its exit code; the negative number of the signal that ended it.
        seconds: of its life, from its first step to its last.
        steps: it began.
        cpu: processor seconds.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    code: int
    seconds: float
    steps: int
    cpu: float
    out: str
    err: str

    @property
    def killed(self) -> bool:
        """Whether it was killed, and not done before."""
        return self.code == -signal.SIGKILL

    @property
    def told(self) -> bool:
        """Whether all that it had to say was said."""
        return self.out.endswith("\n")

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object it printed."""
        return dict(json.loads(self.out))


class Zygote:
    """The process, from outside; a context manager.

    Args:
        scratch: a folder for what jobs write to standard output and error.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        environment = {name: value for name, value in os.environ.items() if not name.startswith("INVESTIGATE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", __name__ if __name__ != "__main__" else "tests.faults.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=Path(__file__).parents[2],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def run(self, job: Job) -> Ended:
        """Run a job to its end, whatever that is."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        given, out, err = (self._scratch / name for name in ("in", "out", "err"))
        given.write_text(job.input)
        order = asdict(job) | {"files": [str(given), str(out), str(err)]}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        said = {"out": out.read_text(errors="replace"), "err": err.read_text(errors="replace")}
        return Ended(**told, **said)


def main() -> int:
    """Serve until standard input ends; in a job's process, its exit code."""
    import_all()
    rollup._LOOKED_THROUGH = 0  # so small lakes, too, are killed between their orders
    answers = os.dup(sys.stdout.fileno())
    for line in iter(sys.stdin.buffer.readline, b""):
        order = json.loads(line)
        reading, writing = os.pipe()
        if not (process := os.fork()):
            os.close(reading)
            os.close(answers)
            return _run(order, writing)
        os.close(writing)
        told = _watch(process, reading, order["after"])
        os.write(answers, json.dumps(told).encode() + b"\n")
    return 0


def import_all() -> None:
    """Import all that a command may, and build the parser of the command line, a third of what a small one takes."""
    for name in _LAZY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(investigate.__path__, "investigate."):
        if not module.name.startswith(_APART) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    build = functools.cache(program.application)
    program.application = build
    typer.main.get_command = functools.cache(typer.main.get_command)
    typer.main.get_command(build())


def _watch(process: int, reading: int, after: float | None) -> dict[str, Any]:
    """Wait for a job's process, or kill it when it is time; its end is that of the pipe it holds."""
    begun, last, steps = None, 0.0, 0
    while True:
        left = None if after is None or begun is None else max(0.0, begun + after - time.monotonic())
        ready, _, _ = select.select([reading], [], [], left)
        if not ready:
            os.kill(process, signal.SIGKILL)
            after = None
            continue
        told = os.read(reading, 2**16)
        if not told:
            break
        last = time.monotonic()
        begun = begun or last
        steps += len(told)
    os.close(reading)
    _, status, used = os.wait4(process, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": last - (begun or last),
        "steps": steps,
        "cpu": used.ru_utime + used.ru_stime,
    }


def _run(order: dict[str, Any], writing: int) -> int:
    for number, name in enumerate(order["files"]):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the end; the old one has read ahead
    if order["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest"], resource.RLIM_INFINITY))
    os.environ |= order["environment"]
    sys.argv = ["investigate", *order["arguments"]]
    sys.addaudithook(_Hook(order["folder"], writing, order["step"]))
    return investigate_main()


class _Hook:
    """Tells of every step below a folder, and may end the process before one."""

    def __init__(self, folder: str, told: int, step: int | None) -> None:
        self._folder, self._told, self._left = folder, told, step

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_step(event, arguments):
            return
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left is not None:
            self._left -= 1
        os.write(self._told, b".")

    def _is_step(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "fcntl.flock":
            return True
        if event == "open":
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return False
        elif event in _STEPS:
            path = arguments[0]
        else:
            return False
        return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(self._folder)


if __name__ == "__main__":
    sys.exit(main())

"""What is dear to make and only read: made once, by whichever worker asks first, and shared by all of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def free_port() -> int:
    """A port of this machine's own address that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that all workers share: who changes what is in it does so in a copy.

    Args:
        factory: says where this run of all tests keeps its files.
        name: of the folder.
        make: fills it, in the worker that comes first; the others wait.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    done = folder / "done"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@dataclass(frozen=True)
class Demonstration:
    """The demonstration, after the command that the README opens with, from a fresh folder in a process of its own.

    Attributes:
        folder: it was run in; the case is `data/case` below it.
    """

    folder: Path

    @property
    def case(self) -> Path:
        """The folder of the case."""
        return self.folder / "data" / "case"

    @property
    def out(self) -> str:
        """What was said on standard output."""
        return (self.folder / "out.txt").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What was said on standard error."""
        return (self.folder / "err.txt").read_text(encoding="utf-8")

    def copy(self, to: Path) -> Path:
        """A copy of its folder."""
        shutil.copytree(self.folder / "data", to / "data")
        return to


REAL_TOKEN = "real-token-4711"
"""A credential that is about while the demonstration runs, and none of its business."""


def demonstrate(folder: Path) -> None:
    """Run the command of the README, with settings that must not matter to it."""
    first = next(line for line in README.splitlines() if line.startswith("python3 -m venv"))
    command = first.rpartition(" && ")[2].removeprefix(".venv/bin/") + " --events 10000 --debug"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"INVESTIGATE_DEVREV_BASE_URL": "https://nowhere.example", "DEVREV_TOKEN": REAL_TOKEN, "PATH": path}
    environment = {**os.environ, **settings}
    with (folder / "out.txt").open("w") as out, (folder / "err.txt").open("w") as err:
        done = subprocess.run(
            command.split(), cwd=folder, stdout=out, stderr=err, env=environment, check=False, timeout=240
        )
    assert done.returncode == 0, (folder / "err.txt").read_text(encoding="utf-8")

"""A disk that fills up: a small tmpfs where this process may mount one, else a limit on how large a file may become."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIZE: Final = 24 * 2**20
BALLAST: Final = "ballast"


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a tmpfs of 24 MiB on a folder for a while; whether that was allowed."""
    options = f"size={_SIZE},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Take all the space of a disk but so many bytes."""
    state = os.statvfs(disk)
    with (disk / BALLAST).open("wb", buffering=0) as ballast:
        os.posix_fallocate(ballast.fileno(), 0, max(1, state.f_bavail * state.f_frsize - leave))


def free(disk: Path) -> None:
    """Give the space back."""
    (disk / BALLAST).unlink(missing_ok=True)


def used(folder: Path) -> int:
    """Bytes that the files below a folder take, by blocks of a page."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // 4096) * 4096 for size in sizes)

"""Where a case may lie: on a medium that can only be read, or in somebody else's folder."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def read_only(folder: Path, where: Path) -> Iterator[bool]:
    """Show a folder at another place, where it can only be read, for a while; whether that was allowed."""
    where.mkdir()
    if not shutil.which("mount") or not _mount("--bind", str(folder), str(where)):
        yield False
        return
    try:
        yield _mount("-o", "remount,ro,bind", str(where))
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def _mount(*arguments: str) -> bool:
    return not subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """Take everybody's right to write below a folder, for a while; root has it all the same."""
    paths = [folder, *folder.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    try:
        for path in paths:
            path.chmod(modes[path] & ~0o222)
        yield
    finally:
        for path in paths:
            path.chmod(modes[path])

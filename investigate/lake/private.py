"""Folders and files of the lake are their owner's alone, whatever the umask says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = 0o700
FILE: Final = 0o600


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing: `mkdir(parents=True)` would make those public."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=FOLDER, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """For `open`: a new file nobody else can read."""
    return os.open(path, flags, FILE)

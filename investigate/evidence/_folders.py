"""Folders and small files that are private, never symbolic links, and still there after a power cut."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from investigate.errors import EvidenceError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def make_folder(path: Path) -> None:
    """Make `path` a private folder; its parent must be there.

    Raises:
        EvidenceError: something else bears that name, a symbolic link for example.
        OSError: it could not be made.
    """
    try:
        path.mkdir(mode=PRIVATE_FOLDER)
        sync_folder(path.parent)
    except FileExistsError:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise EvidenceError(
                f"{path.name} inside the evidence is no folder but a link or a file, and is not written through.",
                f"Find out who put it there, then remove {path}.",
            ) from None


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable; does nothing where a folder cannot be opened (Windows)."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of `data` to the file descriptor `handle`."""
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(handle, rest) :]


def unwritable(path: Path, error: OSError) -> EvidenceError:
    """The error a person meets when `path` could not be written."""
    if error.errno in _DISK_FULL:
        return EvidenceError(
            f"No space is left to write {path.name}.",
            f"Free space on the disk of {path.parent} and run the command again: nothing recorded is lost.",
        )
    if error.errno == errno.EROFS:
        return EvidenceError(
            f"{path.name} cannot be written: the case lies on a read-only medium.",
            "Copy the case to a folder of your own (cp -r), and name that with --case.",
        )
    return EvidenceError(
        f"{path.name} could not be written: {error.strerror or error}.",
        f"Check that {path.parent} can be written, then run the command again.",
    )

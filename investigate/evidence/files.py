"""One file of evidence: what it is called, where it lies, and the hashing of it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from investigate.evidence._folders import NO_FOLLOW
from investigate.evidence.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ_ONLY: Final = 0o444
SHA256: Final = re.compile(r"[0-9a-f]{64}")
STORED: Final = re.compile(r"([0-9a-f]{64})((?:\.[a-z0-9]+)*)")
BLOCK: Final = 2**20
_NAME_LENGTH: Final = 200
_EXT_LENGTH: Final = 20


@dataclass(frozen=True)
class EvidenceFile:
    """One file of evidence.

    Attributes:
        sha256: SHA-256 of its bytes, 64 hexadecimal digits; its name in the store.
        size: bytes.
        name: what it was called where it came from; a label, never a path.
        ext: the extension it has on disk: `""` or such as `.jsonl.gz`.
    """

    sha256: str
    size: int
    name: str
    ext: str = ""


def clean_name(name: str) -> str:
    """The last part of `name`, printable, without secrets, at most 200 characters; `unnamed` when nothing is left."""
    last = re.split(r"[/\\]", redact(name).rstrip("/\\"))[-1]
    printable = "".join(character if character.isprintable() else "\ufffd" for character in last)
    return printable.strip()[:_NAME_LENGTH].strip() or "unnamed"


def clean_ext(ext: str) -> str:
    """`ext` as it may stand on disk: dots, lower-case letters and digits, at most 20 characters, or nothing."""
    parts = [re.sub(r"[^a-z0-9]", "", part) for part in ext.lower().split(".")]
    joined = "".join(f".{part}" for part in parts if part)
    return joined[:_EXT_LENGTH].rstrip(".")


def lookup(root: Path, sha256: str) -> Path | None:
    """Where the store at `root` has this hash, under whatever extension; it may be no plain file."""
    folder = root / "sha256" / sha256[:2]
    if not is_folder(folder):
        return None
    return next((path for path in listing(folder) if _is_named(path, sha256)), None)


def _is_named(path: Path, sha256: str) -> bool:
    stored = STORED.fullmatch(path.name)
    return stored is not None and stored[1] == sha256


def hash_file(path: Path, progress: Callable[[int], None] | None = None) -> tuple[str, int]:
    """SHA-256 and size of the plain file `path`, read through no symbolic link.

    Args:
        path: the file.
        progress: told of the number of bytes of every block read.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_RDONLY | NO_FOLLOW)
    try:
        while block := os.read(handle, BLOCK):
            digest.update(block)
            size += len(block)
            if progress:
                progress(len(block))
    finally:
        os.close(handle)
    return digest.hexdigest(), size


def is_plain(path: Path) -> bool:
    """Whether `path` itself is a regular file, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def is_folder(path: Path) -> bool:
    """Whether `path` itself is a folder, not a link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def listing(folder: Path) -> list[Path]:
    """What lies in `folder`, in order of name; nothing when it is no folder."""
    return sorted(folder.iterdir()) if is_folder(folder) else []

"""Write-once files by their SHA-256: bytes exactly as received, read-only once they are complete.

A file is streamed to `.incoming/`, synced, made read-only and only then renamed to its final name, so whatever lies
under `sha256/` is whole, whenever the machine or the process dies.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from typing import TYPE_CHECKING, BinaryIO, Final

from filelock import FileLock, Timeout

from investigate.errors import EvidenceError
from investigate.evidence._folders import NO_FOLLOW, PRIVATE_FILE, unwritable
from investigate.evidence.files import SHA256, STORED, EvidenceFile, is_folder, is_plain, listing, lookup
from investigate.evidence.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import timedelta
    from pathlib import Path

__all__ = ["EvidenceFile", "EvidenceStore", "Incoming"]

_KEY: Final = re.compile(r"[0-9a-f]{16,128}")
_TEMPORARY: Final = re.compile(r"([rk]-[0-9a-f]+)\.(?:part|json|json\.tmp|lock)")


class EvidenceStore:
    """The evidence of one case, below `<case>/evidence`.

    Args:
        root: the folder; it is made, with mode 0700, when something is first received. Its parent must be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def receive(self, name: str, ext: str = "") -> Incoming:
        """A new temporary file, to be used as a context manager; gone unless committed.

        Args:
            name: what the file is called where it comes from; cleaned, and used as a label only.
            ext: the extension it should have on disk; cleaned.
        """
        return Incoming(self.root, f"r-{uuid.uuid4().hex}", name, ext, resumable=False)

    def resume(self, key: str, name: str, ext: str = "") -> Incoming:
        """The temporary file of `key`: what an earlier process left of it is hashed again and can be added to.

        Entering its context raises an EvidenceError when another process, or this one, has it open.

        Args:
            key: a digest that stays the same from try to try, 16 to 128 hexadecimal digits.
            name: what the file is called where it comes from; cleaned, and used as a label only.
            ext: the extension it should have on disk; cleaned.

        Raises:
            EvidenceError: not such a key.
        """
        if not _KEY.fullmatch(key):
            raise EvidenceError(f"Not a key to resume by: {key[:80]!r}.", "A key is 16 to 128 hexadecimal digits.")
        return Incoming(self.root, f"k-{key}", name, ext, resumable=True)

    def keep_bytes(self, data: bytes, name: str, ext: str = "") -> EvidenceFile:
        """Keep `data` as one file."""
        return self.keep_stream((data,), name, ext)

    def keep_stream(self, chunks: Iterable[bytes], name: str, ext: str = "") -> EvidenceFile:
        """Keep what `chunks` yields as one file; nothing is kept when it raises."""
        with self.receive(name, ext) as incoming:
            for chunk in chunks:
                incoming.write(chunk)
            return incoming.commit()

    def find(self, sha256: str) -> Path:
        """Where the file with this hash lies.

        Raises:
            EvidenceError: not a SHA-256, no such file, or something that is no plain file.
        """
        if not SHA256.fullmatch(sha256):
            raise EvidenceError(f"Not a SHA-256: {sha256[:80]!r}.", "A SHA-256 is 64 hexadecimal digits, lower case.")
        path = lookup(self.root, sha256)
        if path is None:
            raise EvidenceError(f"Evidence {sha256} is missing.", _VERIFY)
        if not is_plain(path):
            raise EvidenceError(f"Evidence {sha256} was replaced by something that is no file.", _VERIFY)
        return path

    def open(self, sha256: str) -> BinaryIO:
        """The file with this hash, to be read; symbolic links are not followed.

        Raises:
            EvidenceError: not a SHA-256, no such file, or one that cannot be read.
        """
        path = self.find(sha256)
        try:
            return os.fdopen(os.open(path, os.O_RDONLY | NO_FOLLOW), "rb")
        except OSError as error:
            raise EvidenceError(f"Evidence {sha256} cannot be read: {error.strerror}.", _VERIFY) from error

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Every (SHA-256, path) on disk, in order; what is named otherwise or is no plain file is left out."""
        for path in self.walk():
            stored = STORED.fullmatch(path.name)
            if stored and path.parent.name == stored[1][:2] and is_plain(path):
                yield stored[1], path

    def walk(self) -> Iterator[Path]:
        """Everything under `sha256/`, rightly there or not, in order: what its folders hold, and what is no folder."""
        top = self.root / "sha256"
        if top.is_symlink() or top.is_file():
            yield top
        for shard in listing(top):
            if is_folder(shard):
                yield from listing(shard)
            else:
                yield shard

    def sweep(self, older_than: timedelta) -> int:
        """Remove temporary files that no live process holds.

        Args:
            older_than: how long what could be resumed is kept after its last byte; the rest goes at once.

        Returns:
            How many temporary files were removed.

        Raises:
            EvidenceError: the store cannot be written.
        """
        folder = self.root / ".incoming"
        horizon = time.time() - older_than.total_seconds()
        matches = (_TEMPORARY.fullmatch(path.name) for path in listing(folder))
        removed = 0
        for stem in sorted({match[1] for match in matches if match}):
            lock = FileLock(folder / f"{stem}.lock", thread_local=False, mode=PRIVATE_FILE)
            try:
                lock.acquire(blocking=False)
                removed += _sweep_one(folder, stem, horizon)
            except Timeout:
                continue
            except OSError as error:
                raise unwritable(folder, error) from error
            finally:
                lock.release()
        return removed


_VERIFY: Final = "See what else is wrong with the evidence: investigate evidence verify"


def _sweep_one(folder: Path, stem: str, horizon: float) -> int:
    """Remove the files of `stem`, whose lock the caller holds; returns 1 if bytes were among them."""
    part = folder / f"{stem}.part"
    present = is_plain(part)
    if present and stem.startswith("k-") and part.lstat().st_mtime >= horizon:
        return 0
    for suffix in (".part", ".json", ".json.tmp"):
        (folder / f"{stem}{suffix}").unlink(missing_ok=True)
    with contextlib.suppress(PermissionError):  # Windows: not while it is held
        (folder / f"{stem}.lock").unlink(missing_ok=True)
    return int(present)

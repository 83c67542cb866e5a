"""A file of evidence on its way in: temporary until every byte is on the disk, then renamed to its SHA-256.

Who dies half way leaves a temporary file and nothing else; a lock beside it says whether its writer is alive.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from filelock import FileLock, Timeout

from investigate.errors import EvidenceError
from investigate.evidence._folders import NO_FOLLOW, PRIVATE_FILE, make_folder, sync_folder, unwritable, write_all
from investigate.evidence.files import BLOCK, READ_ONLY, EvidenceFile, clean_ext, clean_name, hash_file, lookup

if TYPE_CHECKING:
    from types import TracebackType

_CLOSED = -1
_PATIENCE = 1.0
"""Seconds; longer than another process that sweeps needs to see whether the lock is held."""


class Incoming:
    """A temporary file; a context manager, and open only inside its `with`. One thread at a time.

    Args:
        root: the store's folder.
        stem: the temporary file's name without extension.
        name: the label of the evidence.
        ext: the extension it should have on disk.
        resumable: keep the bytes when the context is left without a commit.
    """

    def __init__(self, root: Path, stem: str, name: str, ext: str, *, resumable: bool) -> None:
        folder = root / ".incoming"
        self._root = root
        self._path = folder / f"{stem}.part"
        self._sidecar = folder / f"{stem}.json"
        self._lock = FileLock(folder / f"{stem}.lock", thread_local=False, mode=PRIVATE_FILE)
        self._name, self._ext = clean_name(name), clean_ext(ext)
        self._resumable = resumable
        self._handle = _CLOSED
        self._digest = hashlib.sha256()
        self._size = 0
        self._notes: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            for folder in (self._root, self._path.parent):
                make_folder(folder)
            self._lock.acquire(timeout=_PATIENCE)
        except Timeout:
            raise EvidenceError(
                "Another download of this link is under way.",
                "Wait until it ends, then look: investigate evidence list",
            ) from None
        except OSError as error:
            raise unwritable(self._path, error) from error
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handle == _CLOSED:
            return
        if self._resumable:
            self._close()
        else:
            self.abandon()

    @property
    def size(self) -> int:
        """Bytes there are, those of an earlier try included."""
        return self._size

    def reader(self) -> BinaryIO:
        """The bytes there are, from the first on, for another thread; it stays good when they become evidence.

        Raises:
            OSError: they are gone.
        """
        return os.fdopen(os.open(self._path, os.O_RDONLY | NO_FOLLOW), "rb", buffering=0)

    def notes(self) -> dict[str, str]:
        """What was noted about these bytes, in this try or an earlier one; a copy."""
        return dict(self._notes)

    def note(self, **values: str) -> None:
        """Remember `values`, for example `etag="…"`; with a resumable file they survive a crash."""
        self._notes |= values
        if not self._resumable:
            return
        temporary = self._sidecar.with_suffix(".json.tmp")
        try:
            # Whatever lies under these names goes: a link planted here would be written through.
            temporary.unlink(missing_ok=True)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, PRIVATE_FILE)
            try:
                write_all(handle, json.dumps(self._notes).encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            temporary.replace(self._sidecar)
        except OSError as error:
            raise self._fail(error) from error

    def write(self, data: bytes) -> None:
        """Append `data`.

        Raises:
            EvidenceError: it could not be written, the disk being full for example; the temporary file is gone.
        """
        try:
            write_all(self._handle, data)
        except OSError as error:
            raise self._fail(error) from error
        self._digest.update(data)
        self._size += len(data)

    def truncate(self) -> None:
        """Start over: no bytes; the notes stay."""
        os.ftruncate(self._handle, 0)
        os.lseek(self._handle, 0, os.SEEK_SET)
        self._digest, self._size = hashlib.sha256(), 0

    def commit(self) -> EvidenceFile:
        """Make the bytes evidence: durable, read-only, named by their SHA-256.

        Bytes that are evidence already are not kept twice: the file that is there stays, with its extension.

        Raises:
            EvidenceError: it could not be written, or the file of that name holds other bytes.
        """
        sha256 = self._digest.hexdigest()
        try:
            final = self._present(sha256) or self._place(sha256)
        except OSError as error:
            raise self._fail(error) from error
        file = EvidenceFile(sha256, self._size, self._name, final.name.removeprefix(sha256))
        self.abandon()
        return file

    def abandon(self) -> None:
        """Remove the temporary file and all that was noted."""
        self._close_handle()
        self._path.unlink(missing_ok=True)
        self._sidecar.unlink(missing_ok=True)
        self._close()

    def _open(self) -> None:
        """Open the temporary file at its end, with the hash of what it holds."""
        self._digest, self._size, self._notes = hashlib.sha256(), 0, {}
        try:
            present = self._path.lstat()
        except FileNotFoundError:
            # Notes without bytes speak of a file that was committed just before a crash.
            self._sidecar.unlink(missing_ok=True)
        else:
            if not stat.S_ISREG(present.st_mode) or present.st_nlink != 1:
                raise EvidenceError(
                    f"{self._path.name} among the evidence coming in is no plain file, and is not written through.",
                    f"Find out who put it there, then remove {self._path}.",
                )
            self._path.chmod(PRIVATE_FILE)  # a crash between `commit`'s chmod and rename leaves it read-only
        try:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, PRIVATE_FILE)
        except OSError as error:
            raise unwritable(self._path, error) from error
        while block := os.read(self._handle, BLOCK):
            self._digest.update(block)
            self._size += len(block)
        if self._size:
            self._notes = _read_notes(self._sidecar)

    def _present(self, sha256: str) -> Path | None:
        """The file the store has of these bytes, once it is proven to hold them."""
        path = lookup(self._root, sha256)
        if path is None:
            return None
        try:
            found = hash_file(path)[0]
        except OSError:
            found = ""
        if found != sha256:
            raise EvidenceError(
                f"The evidence file {path.name} is there already, but it does not hold these bytes.",
                "See what happened to it: investigate evidence verify",
            )
        return path

    def _place(self, sha256: str) -> Path:
        """Sync the temporary file and rename it; the order is what makes a crash harmless."""
        shard = self._root / "sha256" / sha256[:2]
        make_folder(shard.parent)
        make_folder(shard)
        final = shard / f"{sha256}{self._ext}"
        self._path.chmod(READ_ONLY)
        os.fsync(self._handle)
        self._close_handle()  # Windows renames no open file
        # Where another process was faster, Windows refuses; elsewhere the same bytes replace the same bytes.
        with contextlib.suppress(FileExistsError):
            self._path.rename(final)
        sync_folder(shard)
        return final

    def _fail(self, error: OSError) -> EvidenceError:
        self.abandon()
        return unwritable(self._path, error)

    def _close(self) -> None:
        self._close_handle()
        if self._lock.is_locked:
            if not self._path.exists():
                # Under the lock: who waits for it sees that its file is gone and makes a new one.
                with contextlib.suppress(PermissionError):
                    Path(self._lock.lock_file).unlink(missing_ok=True)
            self._lock.release()

    def _close_handle(self) -> None:
        if self._handle != _CLOSED:
            os.close(self._handle)
            self._handle = _CLOSED


def _read_notes(path: Path) -> dict[str, str]:
    try:
        handle = os.open(path, os.O_RDONLY | NO_FOLLOW)
    except FileNotFoundError:
        return {}
    with os.fdopen(handle, "rb") as file:
        try:
            notes = json.load(file)
        except ValueError:
            return {}
    return {str(key): str(value) for key, value in notes.items()} if isinstance(notes, dict) else {}

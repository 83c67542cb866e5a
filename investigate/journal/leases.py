"""Whether the process that runs an acquisition still lives: it holds a file lock, which dies with it.

The lock of an acquisition that is done is kept until the process ends by itself, and its file goes then: a file that
nobody holds belongs to a process that was killed, perhaps before it could say what it had done.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from filelock import FileLock

_PATIENCE: Final = 0.25
"""Seconds; longer than another process needs to see whether a lease is held."""


class Leases:
    """The locks of running acquisitions, one a file in `folder`; those of this process are held by this object.

    Args:
        folder: made with mode 0700 when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, FileLock] = {}

    def take(self, acquisition: str) -> bool:
        """Hold the lease of `acquisition` until it is dropped or the process ends; False when another holds it."""
        from filelock import Timeout  # noqa: PLC0415 - asyncio with it, which a question needs not

        if acquisition in self._held:
            return True
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = self._lock(acquisition)
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            return False
        self._held[acquisition] = lock
        return True

    @contextlib.contextmanager
    def guarded(self, acquisition: str) -> Iterator[None]:
        """Where what follows fails, give back the lease of `acquisition` if it was taken meanwhile: nobody else can."""
        before = acquisition in self._held
        try:
            yield
        except BaseException:
            if not before:
                self.drop(acquisition)
            raise

    def drop(self, acquisition: str) -> None:
        """Give the lease of `acquisition` back, if it is held here."""
        if lock := self._held.pop(acquisition, None):
            _remove(lock)

    def retire(self, acquisition: str) -> None:
        """The acquisition is done: keep its lease until this process ends."""
        if lock := self._held.pop(acquisition, None):
            _retired.append(lock)

    def inherit(self, acquisition: str) -> bool:
        """Hold the lease of `acquisition` if the process that held it was killed; whether that is so."""
        return self._path(acquisition).exists() and self.take(acquisition)

    def sweep(self, acquisitions: Iterable[str]) -> None:
        """Remove what a process left that was killed between taking a lease and saying what for.

        Args:
            acquisitions: all there are; nobody may begin one meanwhile.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - see `take`

        own = {Path(lock.lock_file) for lock in (*self._held.values(), *_retired)}
        if not (left := set(self._folder.glob("*.lock")) - own):
            return
        for path in left - {self._path(one) for one in acquisitions}:
            lock = FileLock(path, thread_local=False, mode=0o600)
            with contextlib.suppress(Timeout):
                lock.acquire(blocking=False)
                _remove(lock)

    def is_alive(self, acquisition: str) -> bool:
        """Whether any process, this one included, holds the lease of `acquisition`."""
        from filelock import Timeout  # noqa: PLC0415 - see `take`

        if acquisition in self._held:
            return True
        if not self._path(acquisition).exists():
            return False
        lock = self._lock(acquisition)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:  # a read-only medium: nothing runs there
            return False
        _remove(lock)
        return False

    def _path(self, acquisition: str) -> Path:
        # An id is any text; its digest is a safe name.
        return self._folder / f"{hashlib.sha256(acquisition.encode()).hexdigest()[:32]}.lock"

    def _lock(self, acquisition: str) -> FileLock:
        from filelock import FileLock  # noqa: PLC0415 - see `take`

        return FileLock(self._path(acquisition), thread_local=False, mode=0o600)


_retired: Final[list[FileLock]] = []


@atexit.register
def _end() -> None:
    # What the process has to say must be out before it counts as having said it.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    for lock in _retired:
        _remove(lock)


def _remove(lock: FileLock) -> None:
    # Removed while it is held: who waits for it finds that its file is gone and makes a new one.
    with contextlib.suppress(PermissionError):  # Windows: not while it is held
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()

"""A file that is still coming in, as a stream for whoever reads it in another thread meanwhile."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

_BUFFER: Final = 2**20


class GivenUp(Exception):
    """The file was begun anew, its length is not known, or nobody wants it any more."""


class Arriving:
    """How far a file has come, between the one that writes it and the one that reads it.

    Args:
        wanted: whether anybody reads it before it is whole.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._changed = threading.Condition()
        self._file: BinaryIO | None = None
        self._taken = False
        self._size = self._total = 0
        self._over = not wanted

    # The writer's side

    def begin(self, reader: Callable[[], BinaryIO], size: int, total: int | None) -> None:
        """The file can be read; once more where a transfer was broken off and goes on.

        Args:
            reader: opens it, from its first byte.
            size: bytes there are.
            total: bytes it will have; unless that is known, it cannot be read before it is whole.
        """
        with self._changed:
            self._over |= total is None or (self._file is not None and total != self._total)
            if self._file is None and not self._over:
                try:
                    self._file = reader()  # at once: when it is whole it lies elsewhere
                except OSError:
                    self._over = True
            self._size, self._total = size, total or 0
            self._changed.notify_all()

    def grew(self, size: int) -> None:
        """There are so many bytes now."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def restart(self) -> None:
        """The bytes that there were count no more."""
        if self._size:
            self.give_up()

    def give_up(self) -> None:
        """End it: whoever reads, or waits for more, is told by `GivenUp`."""
        with self._changed:
            self._over = True
            if self._file is not None and not self._taken:
                self._file.close()
            self._changed.notify_all()

    # The reader's side

    @property
    def sound(self) -> bool:
        """Whether all that was read is as the file has it now."""
        return not self._over

    @property
    def total(self) -> int | None:
        """Bytes it will have, None where nobody has begun it."""
        return None if self._file is None else self._total

    def stream(self) -> tuple[BinaryIO, int]:
        """The file as a stream that waits for what is not there yet, and its size in the end.

        Raises:
            GivenUp: see there; so do the stream's methods.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._file is not None or self._over)
            if self._over or self._file is None:
                raise GivenUp
            self._taken = True
            return io.BufferedReader(_Stream(self, self._file, self._total), _BUFFER), self._total

    def after(self, place: int) -> int:
        """Bytes there are, once these are more than `place`, or all."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._size > place or self._size >= self._total)
            if self._over:
                raise GivenUp
            return self._size


class _Stream(io.RawIOBase):
    def __init__(self, arriving: Arriving, file: BinaryIO, total: int) -> None:
        self._arriving, self._file, self._total = arriving, file, total
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        room = memoryview(buffer)
        there = self._arriving.after(self._place) - self._place
        self._file.seek(self._place)
        data = self._file.read(max(0, min(len(room), there)))
        room[: len(data)] = data
        self._place += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._total}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._file.close()
        super().close()

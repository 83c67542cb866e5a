"""What a file really is, told by its content: plain, gzip, bzip2, xz, zip or tar, one inside the other.

Opens nothing but the evidence itself, writes nothing, and gives up on what expands without end.
"""

from __future__ import annotations

import bz2
import copy
import errno
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from tarfile import (  # type: ignore[attr-defined]
    EmptyHeaderError,
    EOFHeaderError,
    InvalidHeaderError,
    ReadError,
    TruncatedHeaderError,
)
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, Self

from investigate.errors import ContainerError
from investigate.normalise.gunzip import Gunzip

if TYPE_CHECKING:
    from collections.abc import Iterator

_RATIO_COUNTS_FROM: Final = 64 * 2**20
_ENCRYPTED: Final = 0x1
_HEAD: Final = 512
_TAR_STEP: Final = 4096
"""`tarfile` drops what it has read of a step when the archive ends inside it."""
DAMAGE: Final = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    struct.error,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the libraries raise on damaged input; an error of the disk among them is passed on, see `_of_the_disk`."""


@dataclass(frozen=True)
class Limits:
    """Bounds on the expansion of one file, all its members together, and on the length of a record.

    Attributes:
        max_expanded: in bytes.
        max_ratio: expanded to packed; counts from 64 MiB on.
        max_record: in bytes.
    """

    max_expanded: int = 2**40
    max_ratio: int = 1000
    max_record: int = 16 * 2**20


class Reader(Protocol):
    """A stream of expanded bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end.

        Raises:
            ContainerError: the content is damaged, or expands past the limits.
        """
        ...


class _Budget:
    """Counts what a file expands to, over all its members: entries of a zip may share their bytes."""

    def __init__(self, packed: int, limits: Limits) -> None:
        self._packed, self._limits = packed, limits
        self._expanded = 0

    def spend(self, size: int, what: str) -> None:
        """Count `size` expanded bytes.

        Raises:
            ContainerError: it is too much.
        """
        self._expanded += size
        ratio = max(_RATIO_COUNTS_FROM, self._limits.max_ratio * self._packed)
        ceiling = min(self._limits.max_expanded, ratio)
        if self._expanded > ceiling:
            raise ContainerError(
                f"The {what}, in a file of {self._packed:,} bytes, expands past {ceiling:,} bytes: "
                "a bomb, or a mistake.",
                "If it is sound, raise max_expanded or max_ratio under [ingest] in case.toml.",
            )


class _Bounded:
    """Keeps a stream within the budget, and says in our words what is wrong with it."""

    def __init__(self, stream: Any, what: str, budget: _Budget, step: int = 2**24) -> None:
        # `read1` hands over what is there before it meets the damage behind it.
        self._stream = getattr(stream, "read1", stream.read)
        self._what, self._budget, self._step = what, budget, step
        self._read = 0

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._stream(min(size, self._step))
        except DAMAGE as error:
            if disk := _of_the_disk(error):
                raise disk from None
            reason = "ends too early" if isinstance(error, EOFError) else "is damaged"
            raise ContainerError(
                f"The {self._what} {reason} after {self._read:,} expanded bytes.", "Get the file again."
            ) from error
        self._read += len(data)
        self._budget.spend(len(data), self._what)
        return data


def members(stream: IO[bytes], size: int, limits: Limits) -> Iterator[tuple[str, Reader]]:
    """The streams of plain content in a file, each with a label for people, in the file's own order.

    Args:
        stream: the file, seekable.
        size: its size in bytes.
        limits: bounds on expansion.

    Raises:
        ContainerError: the file as a whole cannot be opened; one bad member of an archive raises when it is read.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    kind, budget = _kind(head), _Budget(size, limits)
    if kind == "zip":
        yield from _zip(stream, budget)
    elif kind == "tar":
        yield from _tar(stream, budget, "r:")
    elif kind in _OPENERS:
        yield from _expanded(stream, kind, budget)
    elif kind:
        raise ContainerError(f"The file is {kind}, which is not read here.", "Unpack or convert it first.")
    else:
        yield "", _Bounded(stream, "file", budget)


def _expanded(stream: IO[bytes], kind: str, budget: _Budget) -> Iterator[tuple[str, Reader]]:
    """One compressed stream; a tar, or one more compressed stream, may lie inside."""
    joined, inside = _looked_into(_Bounded(_OPENERS[kind](stream), f"{kind} stream", budget))
    if inside == "tar":
        yield from _tar(io.BufferedReader(_Raw(joined)), budget, "r|")
    else:
        yield "", _unpacked(joined, inside, kind, budget)


def _looked_into(reader: Reader) -> tuple[Reader, str | None]:
    """A reader of the same bytes, and what they are by their beginning."""
    head = b""
    try:
        while len(head) < _HEAD and (part := reader.read(_HEAD - len(head))):
            head += part
    except ContainerError as error:
        return _Joined(head, _Faulty(error.message, error.hint)), _kind(head)
    return _Joined(head, reader), _kind(head)


def _unpacked(joined: Reader, kind: str | None, what: str, budget: _Budget) -> Reader:
    """What lies inside a container: plain, or compressed once more; nothing deeper is opened."""
    if kind is None:
        return joined
    if kind in _OPENERS:
        return _Bounded(_OPENERS[kind](io.BufferedReader(_Raw(joined))), f"{kind} stream", budget)
    return _Faulty(f"{kind} inside {what} is not read here.", "Unpack it first.")


def _zip(stream: IO[bytes], budget: _Budget) -> Iterator[tuple[str, Reader]]:
    try:
        archive = zipfile.ZipFile(stream)
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    except DAMAGE as error:
        if disk := _of_the_disk(error):
            raise disk from None
        raise ContainerError("The zip archive is damaged.", "Get the file again.") from error
    for entry in entries:
        if entry.filename.startswith("__MACOSX/"):
            continue
        if entry.flag_bits & _ENCRYPTED:
            yield entry.filename, _Faulty("The zip member is encrypted.", "Unpack it with its password first.")
            continue
        try:
            opened = archive.open(_unchecked(entry))
        except DAMAGE as error:
            if disk := _of_the_disk(error):
                raise disk from None
            yield entry.filename, _Faulty(f"The zip member cannot be read: {error}.", "Get the file again.")
            continue
        with opened:
            joined, inside = _looked_into(_Bounded(_Checked(opened, entry.CRC), "zip member", budget))
            yield entry.filename, _unpacked(joined, inside, "zip", budget)


def _of_the_disk(error: BaseException | None) -> OSError | None:
    """The disk's error, for which a library may have put one of its own; it has a number, other than damage has.

    EINVAL is damage's: a place in an archive that lies before its beginning.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno not in (None, 0, errno.EINVAL):
            return error
        error = error.__context__
    return None


def _unchecked(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The entry without its checksum: `zipfile` would keep the last bytes back where that is wrong."""
    bare = copy.copy(entry)
    del bare.CRC
    return bare


class _Checked:
    """Compares a checksum at the end, when all bytes are handed over."""

    def __init__(self, stream: IO[bytes], crc: int) -> None:
        self._stream = getattr(stream, "read1", stream.read)
        self._expected, self._crc = crc, 0

    def read(self, size: int, /) -> bytes:
        data: bytes = self._stream(size)
        self._crc = zlib.crc32(data, self._crc)
        if size and not data and self._crc != self._expected:
            raise zlib.error("the checksum is wrong")
        return data


class _Tar(tarfile.TarFile):
    """A tar archive in which damage is an error: `tarfile` takes a damaged header for the archive's end."""

    ended = False


class _TarHeader(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, tarfile: _Tar) -> Self:  # type: ignore[override]
        try:
            found = super().fromtarfile(tarfile)
        except EOFHeaderError:
            tarfile.ended = True
            raise
        except EmptyHeaderError as error:
            if tarfile.ended:
                raise
            raise ReadError("no end mark") from error
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(str(error)) from error
        tarfile.ended = False
        return found


def _tar(stream: IO[bytes], budget: _Budget, mode: str) -> Iterator[tuple[str, Reader]]:
    """The regular members; what follows an end mark is read too, for archives that were joined."""
    try:
        with _Tar.open(fileobj=stream, mode=mode, tarinfo=_TarHeader, ignore_zeros=True) as archive:  # type: ignore[call-overload]
            for entry in archive:
                opened = archive.extractfile(entry) if entry.isreg() else None
                if opened is not None:
                    joined, inside = _looked_into(_Bounded(opened, "tar member", budget, _TAR_STEP))
                    yield entry.name, _unpacked(joined, inside, "tar", budget)
    except DAMAGE as error:
        if disk := _of_the_disk(error):
            raise disk from None
        raise ContainerError("The tar archive is damaged, or cut off.", "Get the file again.") from error


class _Faulty:
    """A stream that is there and cannot be read: its place is counted, its reason kept."""

    def __init__(self, message: str, hint: str) -> None:
        self._error = ContainerError(message, hint)

    def read(self, size: int, /) -> bytes:
        del size
        raise self._error


class _Joined:
    """What was read to look at, and then the rest."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._rest.read(size)


class _Raw(io.RawIOBase):
    """A `Reader` as a file object, for decompressors."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._reader.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _kind(head: bytes) -> str | None:
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else None


_MAGIC: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"7z\xbc\xaf": "7-Zip",
    b"%PDF": "PDF",
    b"SQLite format 3": "SQLite",
}
_OPENERS: Final[dict[str, Any]] = {"gzip": Gunzip, "bzip2": bz2.open, "xz": lzma.open}

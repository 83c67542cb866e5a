"""What a file really is, told by its content: plain, gzip, bzip2, xz, zip or tar, one inside the other.

Opens nothing but the evidence itself, writes nothing, and gives up on what expands without end.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Protocol

from investigate.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Iterator

_RATIO_COUNTS_FROM = 64 * 2**20
_ENCRYPTED = 0x1
_HEAD = 512
DAMAGE: Final = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    NotImplementedError,
)
"""What the decompressors raise on damaged input; an `OSError` of a decompressor has no `errno`."""


@dataclass(frozen=True)
class Limits:
    """Bounds on expansion, in bytes and as a ratio that counts from 64 MiB on."""

    max_expanded: int = 2**40
    max_ratio: int = 1000
    max_record: int = 16 * 2**20


class Reader(Protocol):
    """A stream of expanded bytes."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end.

        Raises:
            ContainerError: the content is damaged, or expands past the limits.
        """
        ...


class _Bounded:
    """Counts what comes out of a decompressor, and says in our words what is wrong with what goes in."""

    def __init__(self, stream: IO[bytes], what: str, packed: int, limits: Limits) -> None:
        self._stream, self._what, self._packed, self._limits = stream, what, packed, limits
        self._read = 0

    def read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except DAMAGE as error:
            if isinstance(error, OSError) and error.errno:
                raise
            reason = "ends too early" if isinstance(error, EOFError) else "is damaged"
            raise ContainerError(
                f"The {self._what} {reason} after {self._read:,} expanded bytes.", "Get the file again."
            ) from error
        self._read += len(data)
        ratio = self._read > _RATIO_COUNTS_FROM and self._read > self._limits.max_ratio * max(1, self._packed)
        if self._read > self._limits.max_expanded or ratio:
            raise ContainerError(
                f"The {self._what} of {self._packed:,} bytes expands past {self._read:,} bytes: a bomb, or a mistake.",
                "If it is sound, raise max_expanded or max_ratio under [ingest] in case.toml.",
            )
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
    kind = _kind(head)
    if kind == "zip":
        yield from _zip(stream, limits)
    elif kind == "tar":
        yield from _tar(stream, size, limits, "r:")
    elif kind in _OPENERS:
        yield from _expanded(stream, kind, size, limits)
    elif kind:
        raise ContainerError(f"The file is {kind}, which is not read here.", "Unpack or convert it first.")
    else:
        yield "", _Bounded(stream, "file", size, limits)


def _expanded(stream: IO[bytes], kind: str, size: int, limits: Limits) -> Iterator[tuple[str, Reader]]:
    """One compressed stream; a tar, or one more compressed stream, may lie inside."""
    bounded = _Bounded(_OPENERS[kind](stream), f"{kind} stream", size, limits)
    head = bounded.read(_HEAD)
    if _kind(head) == "tar":
        yield from _tar(io.BufferedReader(_Raw(_Joined(head, bounded))), size, limits, "r|")
    else:
        yield "", _unpacked(_Joined(head, bounded), _kind(head), kind, size, limits)


def _unpacked(joined: Reader, kind: str | None, what: str, size: int, limits: Limits) -> Reader:
    """What lies inside a container: plain, or compressed once more; nothing deeper is opened."""
    if kind is None:
        return joined
    if kind in _OPENERS:
        return _Bounded(_OPENERS[kind](io.BufferedReader(_Raw(joined))), f"{kind} stream", size, limits)
    return _Faulty(f"{kind} inside {what} is not read here.", "Unpack it first.")


def _zip(stream: IO[bytes], limits: Limits) -> Iterator[tuple[str, Reader]]:
    try:
        archive = zipfile.ZipFile(stream)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except DAMAGE as error:
        raise ContainerError("The zip archive is damaged.", "Get the file again.") from error
    for entry in entries:
        if entry.filename.startswith("__MACOSX/"):
            continue
        if entry.flag_bits & _ENCRYPTED:
            yield entry.filename, _Faulty("The zip member is encrypted.", "Unpack it with its password first.")
            continue
        try:
            opened = archive.open(entry)
        except DAMAGE as error:
            yield entry.filename, _Faulty(f"The zip member cannot be read: {error}.", "Get the file again.")
            continue
        with opened:
            bounded = _Bounded(opened, "zip member", entry.compress_size, limits)
            yield entry.filename, _inside(bounded, "zip", entry.compress_size, limits)


def _tar(stream: IO[bytes], size: int, limits: Limits, mode: str) -> Iterator[tuple[str, Reader]]:
    try:
        with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
            for entry in archive:
                opened = archive.extractfile(entry) if entry.isreg() else None
                if opened is not None:
                    yield entry.name, _inside(_Bounded(opened, "tar member", size, limits), "tar", size, limits)
    except tarfile.TarError as error:
        raise ContainerError("The tar archive is damaged.", "Get the file again.") from error


def _inside(bounded: _Bounded, what: str, size: int, limits: Limits) -> Reader:
    try:
        head = bounded.read(_HEAD)
    except ContainerError as error:
        return _Faulty(error.message, error.hint)
    return _unpacked(_Joined(head, bounded), _kind(head), what, size, limits)


class _Faulty:
    """A member that is there and cannot be read: its place is counted, its reason kept."""

    def __init__(self, message: str, hint: str) -> None:
        self._error = ContainerError(message, hint)

    def read(self, size: int) -> bytes:
        del size
        raise self._error


class _Joined:
    """What was read to look at, and then the rest."""

    def __init__(self, head: bytes, rest: Reader) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int) -> bytes:
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


def _gzip(stream: IO[bytes]) -> IO[bytes]:
    from isal import igzip  # noqa: PLC0415 - only where there is gzip to read

    opened: IO[bytes] = igzip.open(stream, "rb")
    return opened


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
_OPENERS: Final = {"gzip": _gzip, "bzip2": bz2.open, "xz": lzma.open}

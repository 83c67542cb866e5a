"""What a file is, told by its content: every wrapping gives the same records, and damage costs no more than itself."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import struct
import tarfile
import warnings
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from investigate.errors import ContainerError
from investigate.normalise.containers import Limits, members
from investigate.normalise.gunzip import Gunzip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., Any]

RECORDS = [b'{"eventID":"%d","eventTime":"2026-11-03T10:00:00Z"}' % number for number in range(2000)]
LINES = b"\n".join(RECORDS) + b"\n"


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def tarred(*entries: tuple[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def expanded(data: bytes, limits: Limits | None = None) -> list[bytes | str]:
    """The content of each member, and after it the words of the error where it ends in one."""
    found: list[bytes | str] = []
    for _, reader in members(io.BytesIO(data), len(data), limits or Limits()):
        content, error = b"", ""
        try:
            while part := reader.read(1000):
                content += part
        except ContainerError as raised:
            error = raised.message
        found += [content, error] if error else [content]
    return found


@pytest.mark.parametrize(
    "wrapped",
    [
        LINES,
        gzip.compress(LINES),
        gzip.compress(RECORDS[0] + b"\n") + gzip.compress(b"\n".join(RECORDS[1:])),
        gzip.compress(LINES) + bytes(512),
        gzip.compress(gzip.compress(LINES)),
        bz2.compress(LINES),
        lzma.compress(LINES),
        zipped(("a.json", LINES)),
        zipped(("a.json", LINES), method=zipfile.ZIP_STORED),
        zipped(("d/", b""), ("__MACOSX/._a", b"x"), ("a.json.gz", gzip.compress(LINES))),
        tarred(("a.json", LINES)),
        tarred(("a.json", LINES), mode="w:gz"),
        gzip.compress(tarred(("a.json.gz", gzip.compress(LINES)))),
        tarred(("a", RECORDS[0])) + tarred(("b", b"\n".join(RECORDS[1:]))),
    ],
)
def test_every_wrapping_gives_the_same_records(read: Read, wrapped: bytes) -> None:
    assert read(wrapped, profile="cloudtrail").raws == [record.decode() for record in RECORDS]


def test_members_of_one_name_are_all_read(read: Read) -> None:
    data = zipped(("a", RECORDS[0]), ("a", RECORDS[1]), ("a", RECORDS[2]))
    assert [event["event_uid"] for event in read(data, profile="cloudtrail").events] == ["0", "1", "2"]


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_truncated_gzip_gives_all_that_it_holds(read: Read, keep: float) -> None:
    packed = gzip.compress(LINES)
    cut = packed[: int(len(packed) * keep)]
    ideal = zlib.decompressobj(31).decompress(cut)
    reading = read(cut, profile="cloudtrail")
    assert len(reading.events) == ideal.count(b"\n")
    assert [reason[:31] for reason in reading.reasons] == ["The gzip stream ends too early "]


def test_a_wrong_checksum_is_said_after_all_records(read: Read) -> None:
    packed = bytearray(gzip.compress(LINES))
    packed[-6] ^= 1
    archive = bytearray(zipped(("a.json", LINES)))
    archive[archive.rfind(b"PK\x01\x02") + 16] ^= 1
    for data, what in ((packed, "gzip stream"), (archive, "zip member")):
        reading = read(bytes(data), profile="cloudtrail")
        assert len(reading.events) == len(RECORDS)
        assert reading.reasons == [f"The {what} is damaged after {len(LINES):,} expanded bytes."]


def test_what_follows_a_gzip_and_is_none_is_said(read: Read) -> None:
    reading = read(gzip.compress(LINES) + b"and then some", profile="cloudtrail")
    assert (len(reading.events), len(reading.rejects)) == (len(RECORDS), 1)


@given(data=st.binary(max_size=3000), flags=st.integers(0, 15), size=st.integers(1, 700))
@settings(deadline=None, max_examples=100)
def test_gunzip_reads_what_gzip_wrote(data: bytes, flags: int, size: int) -> None:
    extras = [(4, b"\x03\x00abc"), (8, b"name\x00"), (16, b"comment\x00"), (2, b"\x00\x00")]
    header = b"".join(text for flag, text in extras if flags * 2 & flag)
    packed = gzip.compress(data, mtime=0)
    packed = packed[:3] + bytes([flags * 2 & 30]) + packed[4:10] + header + packed[10:]
    reader, out = Gunzip(io.BytesIO(packed + packed)), b""
    while part := reader.read(size):
        out += part
    assert out == data + data


def test_an_encrypted_member_is_one_reject_among_events(read: Read) -> None:
    data = bytearray(zipped(("a", RECORDS[0]), ("b", RECORDS[1])))
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    reading = read(bytes(data), profile="cloudtrail")
    assert (len(reading.events), reading.reasons) == (1, ["The zip member is encrypted."])


def test_an_archive_in_an_archive_is_named_not_opened(read: Read) -> None:
    reading = read(zipped(("in.zip", zipped(("a", RECORDS[0])))), profile="cloudtrail")
    assert reading.reasons == ["zip inside zip is not read here."]


def test_odd_members_of_a_tar_are_passed_over(read: Read) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (("d", tarfile.DIRTYPE), ("l", tarfile.SYMTYPE), ("f", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("../x" + "y" * 200)
        info.size = len(LINES)
        archive.addfile(info, io.BytesIO(LINES))
    assert len(read(buffer.getvalue(), profile="cloudtrail").events) == len(RECORDS)


@pytest.mark.parametrize("damage", ["header", "cut at a header", "cut inside"])
def test_a_damaged_tar_is_no_shorter_tar(read: Read, damage: str) -> None:
    data = bytearray(tarred(("a", LINES), ("b", LINES)))
    second = 512 + (len(LINES) + 511) // 512 * 512
    if damage == "header":
        data[second + 10] ^= 0xFF
    else:
        del data[second + (0 if damage == "cut at a header" else 3000) :]
    reading = read(bytes(data), profile="cloudtrail")
    assert len(reading.events) >= len(RECORDS)
    assert len(reading.rejects) == (2 if damage == "cut inside" else 1)


def test_the_ceiling_on_expansion(read: Read) -> None:
    packed = gzip.compress(LINES)
    assert expanded(packed, Limits(max_expanded=len(LINES))) == [LINES]
    assert str(expanded(packed, Limits(max_expanded=len(LINES) - 1))[1]).endswith("a bomb, or a mistake.")
    reading = read(packed, profile="cloudtrail", limits=Limits(max_expanded=80_000))
    assert 0 < len(reading.events) < len(RECORDS)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_sound_gzip_of_a_log_that_breaks_off_is_not_whole(read: Read, end: str) -> None:
    reading = read(gzip.compress(LINES + RECORDS[0][:30] + end.encode()), profile="cloudtrail")
    assert (len(reading.events), len(reading.rejects)) == (len(RECORDS), 1)
    assert sum(batch.cut for batch in reading.batches) == (0 if end else 1)


class Scratched(io.BytesIO):
    """A file on a disk that cannot read all of it, once its beginning was looked at."""

    def __init__(self, data: bytes, first: int, last: int) -> None:
        super().__init__(data)
        self._bad, self._looked = range(first, last), False

    def read(self, size: int | None = -1, /) -> bytes:
        at = self.tell()
        data = super().read(size)
        if self._looked and at < self._bad.stop and at + len(data) > self._bad.start:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._looked = True
        return data


def read_all(stream: IO[bytes], size: int) -> None:
    for _, reader in members(stream, size, Limits()):
        while reader.read(1000):
            pass


ARCHIVE = zipped(("a", b"{}" * 400), ("b", b"{}" * 400), method=zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (len(ARCHIVE) - 10, len(ARCHIVE)),
        (ARCHIVE.find(b"PK\x01\x02"), ARCHIVE.find(b"PK\x01\x02") + 10),
        (ARCHIVE.rfind(b"PK\x03\x04"), ARCHIVE.rfind(b"PK\x03\x04") + 10),
        (ARCHIVE.rfind(b"{}"), ARCHIVE.rfind(b"{}") + 1),
    ],
    ids=["the directory's end", "the directory", "before a member", "in a member"],
)
def test_an_error_of_the_disk_in_a_zip_is_no_damage_to_it(first: int, last: int) -> None:
    with pytest.raises(OSError, match="Input/output error") as raised:
        read_all(Scratched(ARCHIVE, first, last), len(ARCHIVE))
    assert raised.value.errno == errno.EIO


@pytest.mark.parametrize("place", [2**32, 2**63 - 1, 2**63 + 5])
def test_a_member_that_should_lie_anywhere_is_one_reject(read: Read, tmp_path: Path, place: int) -> None:
    start, end = ARCHIVE.rfind(b"PK\x01\x02"), ARCHIVE.rfind(b"PK\x05\x06")
    entry, extra = bytearray(ARCHIVE[start:end]), struct.pack("<HHQ", 1, 8, place)
    entry[30:32], entry[42:46] = struct.pack("<H", len(extra)), b"\xff" * 4
    tail = bytearray(ARCHIVE[end:])
    tail[12:16] = struct.pack("<I", end - ARCHIVE.find(b"PK\x01\x02") + len(extra))
    data = ARCHIVE[:start] + entry + extra + tail
    (tmp_path / "a.zip").write_bytes(data)
    said = [reason[:29] for reason in read(data, profile="cloudtrail").reasons]
    with (tmp_path / "a.zip").open("rb", buffering=0) as file, pytest.raises(ContainerError):
        read_all(file, len(data))
    assert said[-1] == "The zip member cannot be read"


def test_an_error_of_the_disk_is_not_taken_for_damage() -> None:
    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, f"Input/output error after {size}")

    with pytest.raises(OSError, match="Input/output error"):
        next(members(Broken(b"x"), 1, Limits()))[1].read(1)

"""How an export file is packed: six ways a vendor might, each written as a stream.

A `.jsonl.gz` holds one gzip member an hour, as a vendor does that joins its partitions.
"""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from investigate.sandbox import gzipped
from investigate.sandbox.settings import Container

CONTENT_TYPES: Final = {
    Container.JSONL_GZ: "application/gzip",
    Container.JSONL: "application/x-ndjson",
    Container.JSON: "application/json",
    Container.JSON_GZ: "application/gzip",
    Container.WRAPPED: "application/json",
    Container.ZIP: "application/zip",
}
_NAMES: Final = {Container.WRAPPED: "audit-logs.json"}


def name(container: Container) -> str:
    """File name of an export packed that way."""
    return _NAMES.get(container, f"audit-logs.{container}")


def pack(container: Container, hours: Iterable[Iterator[bytes]], path: Path) -> int:
    """Write lines, each with its line end, to a file; the number of entries."""
    with path.open("wb") as file:
        if container is Container.JSONL:
            return _write_lines(hours, file)
        if container is Container.JSONL_GZ:
            return _write_members(hours, file)
        if container is Container.JSON:
            return _write_array(hours, file)
        if container is Container.WRAPPED:
            file.write(b'{"audit_logs":')
            count = _write_array(hours, file)
            file.write(b"}\n")
            return count
        if container is Container.JSON_GZ:
            with gzipped.writer(file) as packed:
                return _write_array(hours, packed)
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("audit-logs.jsonl", "w", force_zip64=True) as member,
        ):
            return _write_lines(hours, member)


def _write_lines(hours: Iterable[Iterator[bytes]], file: IO[bytes]) -> int:
    count = 0
    for lines in hours:
        for line in lines:
            file.write(line)
            count += 1
    return count


def _write_members(hours: Iterable[Iterator[bytes]], file: IO[bytes]) -> int:
    count = 0
    for lines in hours:
        with gzipped.writer(file) as member:
            count += _write_lines([lines], member)
    if not file.tell():  # nothing to tell is still a gzip file
        gzipped.writer(file).close()
    return count


def _write_array(hours: Iterable[Iterator[bytes]], file: IO[bytes]) -> int:
    count = 0
    file.write(b"[")
    for lines in hours:
        for line in lines:
            file.write(b",\n" if count else b"\n")
            file.write(line.rstrip(b"\n"))
            count += 1
    file.write(b"\n]")
    return count

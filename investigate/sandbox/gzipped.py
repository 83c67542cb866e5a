"""Gzip at hardware speed (isal): the log would otherwise spend most of its time in zlib.

No time in the headers, so that the same world is the same bytes.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from isal import igzip as _untyped

_igzip: Final[Any] = _untyped  # isal has type hints for its constants only
_LEVEL: Final = 1
_BUFFER: Final = 1 << 18


def writer(file: IO[bytes]) -> IO[bytes]:
    """A gzip member at the current end of a file; closing it leaves the file open."""
    member = _igzip.IGzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
    # Buffered: a call into the compressor for every line would take longer than compressing.
    return cast("IO[bytes]", io.BufferedWriter(member, _BUFFER))


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a gzip file, each with its line end."""
    with _igzip.open(path, "rb") as file:
        yield from file

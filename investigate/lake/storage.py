"""Where a lake's tables lie: a folder of the case, or a prefix in an S3 bucket; past this, nothing asks which."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

from investigate.lake.private import FILE, FOLDER, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

_LOG: Final = "_delta_log"
_ABANDONED: Final = 3600
"""Seconds after which nobody is at a file of the log any more."""


@dataclass(frozen=True)
class Stored:
    """A file of a table.

    Attributes:
        name: its path below the table's root, with `/`.
        size: bytes.
        modified: milliseconds since 1970 UTC, by the clock of the storage.
    """

    name: str
    size: int
    modified: int


class Storage(Protocol):
    """Where one table lies.

    Attributes:
        uri: of its root, as Delta and Polars take it.
        lingers: whether what a process asked for may still happen after its end, as a request under way may.
    """

    uri: str
    lingers: bool

    @property
    def options(self) -> dict[str, str] | None:
        """What Delta and Polars need to reach it; holds secrets. None for a folder."""

    @property
    def local_folders(self) -> Sequence[str]:
        """The folders an SQL engine must be let into to read it."""

    def below(self, name: str) -> Self:
        """The storage of a table of that name, below this one."""

    def locate(self, name: str) -> str:
        """A file's absolute path or address, as the engines take it."""

    def prepare(self) -> None:
        """Make it ready for the first commit.

        Raises:
            LakeError: it cannot be written, or cannot keep two writers apart.
        """

    def publish(self, made: Path, name: str) -> Stored:
        """Put a finished file in its place, whole and durable, and take it from where it was made."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is no error."""

    def exists(self, name: str) -> bool:
        """Whether a file is there."""

    def read(self, name: str) -> bytes | None:
        """A small file, None where it is not there."""

    def footer(self, name: str) -> pq.FileMetaData:
        """What a Parquet file says of itself."""

    def parquet(self, name: str, coded: Sequence[str]) -> pq.ParquetFile:
        """A Parquet file, open.

        Args:
            name: of the file.
            coded: columns of text, as Parquet names them, that come as dictionaries.
        """

    def fetch(self, name: str, folder: Path) -> Path:
        """A file on this disk: itself, or a copy in a folder of the caller's."""

    def listed(self, below: str = "") -> Iterator[Stored]:
        """The files below a folder of the table."""

    def seal(self, version: int) -> None:
        """See to the rights of what the Delta library wrote for a version: it asks nobody for whom."""

    def expose(
        self,
        connection: duckdb.DuckDBPyConnection,
        view: str,
        files: Sequence[str],
        schema: pa.Schema,
        partition_by: str | None,
        *,
        passing: bool = False,
    ) -> None:
        """Make some files a view that filters and columns are pushed down into.

        Args:
            connection: which may read them.
            view: its name.
            files: as from `locate`; at least one.
            schema: the table's.
            partition_by: the column that stands in the files' paths alone.
            passing: whether the view must go with the connection.
        """


class Folder:
    """A table in a folder, its owner's alone.

    Args:
        path: the folder; need not exist.
    """

    lingers = False
    options: dict[str, str] | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self.uri = str(path)

    @property
    def local_folders(self) -> Sequence[str]:
        """The folder."""
        return [self.uri]

    def below(self, name: str) -> Folder:
        """See `Storage`; so for all that follow."""
        return Folder(self._path / name)

    def locate(self, name: str) -> str:
        """The absolute path."""
        return str(self._path / name)

    def prepare(self) -> None:
        """Make the folder."""
        make_folder(self._path)

    def publish(self, made: Path, name: str) -> Stored:
        """Move the file, which lies on the same disk, and make its name durable too."""
        place = self._path / name
        make_folder(place.parent)
        try:
            made.replace(place)
        except FileNotFoundError:  # another process found the folder empty and took it away
            make_folder(place.parent)
            made.replace(place)
        _sync(place.parent)
        state = place.stat()
        return Stored(name, state.st_size, int(state.st_mtime * 1000))

    def remove(self, names: Iterable[str]) -> None:
        """Unlink them, and the folders below the table's that are empty then."""
        for name in names:
            path = self._path / name
            path.unlink(missing_ok=True)
            if path.parent != self._path:
                with suppress(OSError):  # it holds others, or another process was faster
                    path.parent.rmdir()

    def exists(self, name: str) -> bool:
        """Whether the path is a file."""
        return (self._path / name).is_file()

    def read(self, name: str) -> bytes | None:
        """Its bytes."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def footer(self, name: str) -> pq.FileMetaData:
        """By pyarrow."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - a look-up asks for none

        return pq.read_metadata(self._path / name)

    def parquet(self, name: str, coded: Sequence[str]) -> pq.ParquetFile:
        """Read column by column, when it is asked for."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - see `footer`

        return pq.ParquetFile(self._path / name, read_dictionary=coded, pre_buffer=False)

    def fetch(self, name: str, folder: Path) -> Path:
        """The file itself."""
        del folder
        return self._path / name

    def listed(self, below: str = "") -> Iterator[Stored]:
        """Walk the folder."""
        for folder, _, names in os.walk(self._path / below):
            for name in names:
                path = os.path.join(folder, name)  # noqa: PTH118 - thousands of them: a Path each costs more than the walk
                state = os.stat(path)  # noqa: PTH116
                yield Stored(os.path.relpath(path, self._path).replace(os.sep, "/"), state.st_size, _millis(state))

    def seal(self, version: int) -> None:
        """Make the log's new files private, and take away what killed writers left beside them.

        The library links a commit's file, `N.json#1`, to its name and then removes it. Of a version that is there,
        nobody has any use for it; a checkpoint's, `N.checkpoint.parquet#1`, another writer may be at.
        """
        log, newest = self._path / _LOG, f"{version:020}"
        log.chmod(FOLDER)
        for tried in log.glob("*#*"):
            with suppress(FileNotFoundError):
                is_commit = ".json#" in tried.name and tried.name[: len(newest)] <= newest
                if is_commit or time.time() - tried.stat().st_mtime > _ABANDONED:
                    tried.unlink()
        for made in (*log.glob(f"{newest}*"), *log.glob("_*")):
            with suppress(FileNotFoundError):  # another writer's, which is done with it
                made.chmod(FILE)

    def expose(
        self,
        connection: duckdb.DuckDBPyConnection,
        view: str,
        files: Sequence[str],
        schema: pa.Schema,
        partition_by: str | None,
        *,
        passing: bool = False,
    ) -> None:
        """By DuckDB's own reader."""
        from investigate.lake.sql import file_list  # noqa: PLC0415 - it imports the table, and that this

        # DuckDB takes every `name=value` above for a partition, before the file's own column of that name.
        hidden = partition_by is not None and "=" in self.uri
        listed = file_list(files, by_date=partition_by is not None and not hidden)
        told = {partition_by: f"time::DATE AS {partition_by}"} if hidden else {}
        columns = ", ".join(told.get(name, name) for name in schema.names)
        connection.execute(f"CREATE OR REPLACE {'TEMP ' * passing}VIEW {view} AS SELECT {columns} FROM {listed}")


def storage_of(root: Path, uri: str | None) -> Storage:
    """The storage of a lake: its folder, or what `uri` names.

    Args:
        root: the case's `lake/`.
        uri: `s3://bucket/prefix`, None for the folder.

    Raises:
        ConfigError: the address is of no such form.
    """
    if uri is None:
        return Folder(root)
    from investigate.lake.s3 import Bucket  # noqa: PLC0415 - boto3, which a local lake must not pay for

    return Bucket.at(uri)


def _millis(state: os.stat_result) -> int:
    return int(state.st_mtime * 1000)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

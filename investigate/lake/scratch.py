"""A folder of one writer's own: it goes when the writer is done, and says what to clear away where it was killed."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

import duckdb
from filelock import FileLock, Timeout

from investigate.errors import LakeError
from investigate.lake import parquet
from investigate.lake.private import make_folder, opener

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa
    import pyarrow.parquet as pq
    from deltalake.transaction import AddAction

    from investigate.lake.table import Table

_LOCK: Final = "lock"
_NOTES: Final = "written"
_LEAST: Final = 40 * 2**20
"""With less an engine can hardly read a file."""
_FOR_TWO: Final = 64 * 2**20
"""With less memory than this an engine has one thread: what each of several holds would not fit."""


class Scratch:
    """A writer's folder, held by a lock that goes with its process; a context manager.

    Args:
        folder: named after what the writer commits, its application transaction.
        memory: what its engine may use, in bytes; some it needs in any case.
        tables: those it may put files into.

    Raises:
        LakeError: another process works there.
    """

    def __init__(self, folder: Path, memory: int, tables: Sequence[Table]) -> None:
        self.folder, self._memory, self._tables = folder, memory, tables
        self._lock = FileLock(folder / _LOCK, mode=0o600)

    def __enter__(self) -> Self:
        make_folder(self.folder)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise LakeError(f"Another process works on {self.folder.name}.", "Wait until it is done.") from error
        _clear(self.folder, self._tables)  # what an earlier process left that was killed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _clear(self.folder, self._tables if error else ())
        _leave(self.folder, self._lock)

    def engine(self, database: str = ":memory:", memory: int | None = None) -> duckdb.DuckDBPyConnection:
        """DuckDB, held to the memory given; what it spills lies in this folder.

        Args:
            database: a file's name in this folder, or memory.
            memory: what it may use in place of all that the writer may, in bytes; some it needs in any case.
        """
        memory = max(self._memory if memory is None else memory, _LEAST)
        threads = {"threads": 1} if memory < _FOR_TWO else {}
        connection = duckdb.connect(
            database if database == ":memory:" else str(self.folder / database),
            config={
                **threads,
                "memory_limit": f"{memory // 2**20}MiB",
                "temp_directory": str(self.folder / "spill"),
                "autoinstall_known_extensions": "false",
                "preserve_insertion_order": "false",
                # It splits a sort by what tells blocks of a large table apart, and takes texts that begin with the same
                # eight bytes for one: DuckDB 2.0 then sorts by the next column first.
                "disabled_optimizers": "partitioned_execution",
            },
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among results
        connection.execute("SET parquet_metadata_cache = true")  # no file ever changes
        return connection

    def put(
        self,
        table: Table,
        name: str,
        batches: Iterable[pa.RecordBatch],
        partition: dict[str, str],
        *,
        data_change: bool = True,
    ) -> AddAction:
        """Write a file and put it into a table's storage, where no snapshot has it yet; in any thread.

        Args:
            table: which of this writer's.
            name: of the file below the table's root; none that was ever used.
            batches: rows in order, without the partition's column.
            partition: its column to its value.
            data_change: whether the rows are new to the table.
        """
        made = self.folder / f"{secrets.token_hex(8)}.parquet"
        metadata = parquet.write(made, batches, table.file_schema)
        return self.publish(table, name, made, metadata, partition, data_change=data_change)

    def publish(
        self,
        table: Table,
        name: str,
        made: Path,
        metadata: pq.FileMetaData,
        partition: dict[str, str],
        *,
        data_change: bool = True,
    ) -> AddAction:
        """Put a finished file of this folder into a table's storage, where no snapshot has it yet.

        Args:
            table: which of this writer's.
            name: of the file below the table's root; none that was ever used.
            made: the file, which is taken away.
            metadata: its footer.
            partition: the partition's column to its value.
            data_change: whether the rows are new to the table.
        """
        self._note(table, name)
        stored = table.storage.publish(made, name)
        return parquet.add_action(stored, metadata, partition, data_change=data_change)

    def _note(self, table: Table, name: str) -> None:
        """Before the file is there: of a killed writer's files none may be unknown."""
        with open(self.folder / _NOTES, "a", encoding="utf-8", opener=opener) as notes:
            notes.write(f"{self._tables.index(table)} {name}\n")
            notes.flush()
            os.fsync(notes.fileno())


def short_of_memory(error: Exception) -> bool:
    """Whether DuckDB had too little; by way of Arrow its error comes as another."""
    return isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error)


def discard(folder: Path, tables: Sequence[Table]) -> bool:
    """Clear away what a killed writer left, in its folder and in the tables; False where it is alive.

    Args:
        folder: of its `Scratch`.
        tables: as it was given them.
    """
    lock = FileLock(folder / _LOCK, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError:  # gone meanwhile, or on a medium that cannot be written
        return False
    _clear(folder, tables)
    _leave(folder, lock)
    return True


def _clear(folder: Path, tables: Sequence[Table]) -> None:
    notes = folder / _NOTES
    lines = notes.read_text(encoding="utf-8").splitlines() if tables and notes.exists() else []
    for number, table in enumerate(tables):
        names = [name for at, _, name in (line.partition(" ") for line in lines) if at == str(number)]
        # Where a commit may still arrive its files must stay; a vacuum removes them once that is out of the question.
        if names and not table.storage.lingers:
            with suppress(LakeError, OSError):
                if table.committed_at(folder.name) is None:
                    table.storage.remove(names)
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif left.name != _LOCK:
            left.unlink(missing_ok=True)


def _leave(folder: Path, lock: FileLock) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()

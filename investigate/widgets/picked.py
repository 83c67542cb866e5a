"""`Shelf`: one engine for all widgets of a case, and tables of events picked from the lake that they share.

A pick is made by one pass over the lake; ranking, matrix, timeline and grid then read the small table, each from a seat
of its own. A pick too large for a table stays a condition on the lake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import duckdb
import polars as pl

from investigate.case import inspection
from investigate.errors import LakeError, first_line
from investigate.events import COLUMNS
from investigate.lake import sql
from investigate.widgets.where import Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from investigate.case.case import Case
    from investigate.lake.table import Table

MOST: Final = 250_000
"""Events a pick may hold as a table."""
LAKE: Final = "located"
"""The view of all events with their place in the lake's files."""
BACKWARDS: Final = "located_backwards"
"""The same, in files from the last day to the first."""
PLACE: Final = ("file", "spot", "time")
"""Where in the snapshot a row stands: its file, its spot there, and its time, by which a file is mostly passed over."""
TIES: Final = ("file", "spot")
"""What puts events of the same value and time in the same order in every query."""
NARROW: Final = tuple(name for name in COLUMNS if name != "raw")
_FILE: Final = "snapshot_file"
"""The type of a file: its name, kept as its number in the snapshot."""
_DIGEST: Final = "(hash(source, tenant, event_uid) >> 12)::BIGINT"
"""The spot of an event in a bucket, whose reader numbers no rows; of so many bits as a number of the page's has."""
_numbers: Final = count(1)


@dataclass(frozen=True)
class Pick:
    """Some events.

    Attributes:
        table: a table that holds exactly them, without `raw`; or the view of the whole lake.
        where: what still has to be asked of `table`; of a table of their own, nothing.
        version: the lake's, when they were picked.
    """

    table: str
    where: Where
    version: int

    @property
    def held(self) -> bool:
        """Whether they have a table of their own."""
        return self.table != LAKE


@dataclass(frozen=True)
class Seat:
    """One view's place at the shelf: a cursor of its own, on one version of the lake.

    Attributes:
        cursor: used by this view alone, by one thread at a time.
        version: of the lake.
        files: of that version; a page names one by its number here.
        table: the lake's events.
    """

    cursor: duckdb.DuckDBPyConnection
    version: int
    files: tuple[str, ...]
    table: Table

    def beside(self) -> Seat:
        """Another seat on the same version, for what is done meanwhile."""
        return replace(self, cursor=_cursor(self.cursor, self.table, self.files))

    def located(self, files: Sequence[str]) -> str:
        """SQL of the events of some files of the snapshot, with what `LAKE` has of them."""
        return _located(self.table, files)

    def rows(self, query: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query of this package's own.

        Raises:
            LakeError: it failed, or was interrupted.
        """
        try:
            found = self.cursor.sql(query, params=values or None).to_arrow_table()
        except duckdb.Error as error:
            raise _failed(error) from error
        # Arrow's own way to Python imports pandas where that is installed: half a second of the first view.
        return pl.DataFrame(found).to_dicts()

    def batches(self, query: str, values: dict[str, Any], size: int) -> Iterator[pa.RecordBatch]:
        """The same as `rows`, as batches of Arrow of at most `size` rows, one after another."""
        try:
            yield from self.cursor.sql(query, params=values or None).to_arrow_reader(size)
        except duckdb.Error as error:
            raise _failed(error) from error

    def run(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Run a statement of this package's own; see `rows`."""
        try:
            self.cursor.execute(statement, values or None)
        except duckdb.Error as error:
            raise _failed(error) from error

    def count(self, table: str, where: Where) -> int:
        """How many rows of a table meet some conditions."""
        return int(self.rows(f"SELECT count(*) AS n FROM {table} WHERE {where.sql}", where.values)[0]["n"])

    def pick(self, where: Where, of: Pick | None = None) -> Pick:
        """The events that meet some conditions.

        Args:
            where: what to ask.
            of: only among these, which have a table; None: of the whole lake.
        """
        source = of.table if of else LAKE
        # Counting costs next to nothing, but where it has to read lists: then the table is tried at once.
        if "resources" not in where.sql and self.count(source, where) > MOST:
            return Pick(LAKE, where, self.version)
        name = f"picked_{next(_numbers)}"
        columns = ", ".join((*NARROW, *TIES))
        self.run(
            f"CREATE TABLE {name} AS SELECT {columns} FROM {source} WHERE {where.sql} LIMIT {MOST + 1}", where.values
        )
        pick = Pick(name, Where(), self.version)
        if self.count(name, pick.where) <= MOST:
            return pick
        self.drop(pick)
        return Pick(LAKE, where, self.version)

    def drop(self, pick: Pick) -> None:
        """Give back what a pick of this version holds."""
        if pick.held and pick.version == self.version:
            self.run(f"DROP TABLE IF EXISTS {pick.table}")


class Shelf:
    """The engine of a desk.

    Args:
        case: whose lake.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self._lock = RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._version = -2
        self._files: tuple[str, ...] = ()

    def seat(self, old: Seat | None = None) -> Seat:
        """A seat on the newest version of the lake: the old one, as long as it is that."""
        newest = inspection.lake_version(self._case)
        if old is not None and old.version == newest:
            return old
        with self._lock:
            if self._connection is None or newest != self._version:
                self._open(newest)
            assert self._connection is not None  # noqa: S101 - it was just opened
            table = self._case.lake.events
            return Seat(_cursor(self._connection, table, self._files), self._version, self._files, table)

    def _open(self, version: int) -> None:
        table = self._case.lake.events
        files = table.snapshot(version).files
        connection = self._case.lake.connect(version)
        names = ", ".join(map(sql.literal, files or ("",)))
        connection.execute(f"CREATE TYPE {_FILE} AS ENUM ({names})")
        if table.storage.local_folders or not files:
            connection.execute(f"CREATE VIEW {LAKE} AS {_located(table, files)}")
            connection.execute(f"CREATE VIEW {BACKWARDS} AS {_located(table, sorted(files, reverse=True))}")
        self._connection, self._version, self._files = connection, version, files


def _cursor(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """A cursor that sees `LAKE`: of a lake in a bucket, whose views are a cursor's own, one that has it itself."""
    cursor = connection.cursor()
    if files and not table.storage.local_folders:
        sql.expose(cursor, "events", table, files)
        for view in (LAKE, BACKWARDS):  # such a reader has an order of its own
            cursor.execute(f"CREATE TEMP VIEW {view} AS {_located(table)}")
    return cursor


def _located(table: Table, files: Sequence[str] | None = None) -> str:
    """SQL of the events in some files of a snapshot, None for all, each with its place."""
    if files is not None and not files:
        return f"SELECT *, ''::{_FILE} AS file, 0 AS spot FROM events"
    told = {}
    if table.storage.local_folders:
        # DuckDB takes every `name=value` above for a partition, before the file's own column of that name.
        hidden = "=" in table.storage.uri
        whose, spot = sql.file_list(files or (), by_date=not hidden), "file_row_number"
        told = {"date": "time::DATE AS date"} if hidden else {}
    else:
        some = f" WHERE filename IN ({', '.join(map(sql.literal, files))})" if files else ""
        whose, spot = f"objects_of_events{some}", _DIGEST
    columns = ", ".join(told.get(name, name) for name in COLUMNS)
    return f"SELECT {columns}, filename::{_FILE} AS file, {spot} AS spot FROM {whose}"


def _failed(error: duckdb.Error) -> LakeError:
    if isinstance(error, duckdb.InterruptException):
        return LakeError("The query was stopped.", "Ask again.")
    reason = first_line(error)
    return LakeError(f"The query failed: {reason}", "Narrow the window, or give the case more memory in case.toml.")

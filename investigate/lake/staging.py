"""Where an acquisition's events wait until all are there: deduplicated, sorted, committed together, or not at all."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from investigate.lake import parquet
from investigate.lake.sql import expose, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import duckdb
    from deltalake.transaction import AddAction

    from investigate.lake.scratch import Scratch
    from investigate.lake.table import Snapshot, Table


class Staging:
    """An acquisition's events and rejects, on disk, in a folder of their own; a context manager.

    Args:
        scratch: the folder, named after the acquisition.
        events: the table the events are for.
        rejects: the table the rejects are for.

    Attributes:
        events: how many events were put in.
        rejects: how many rejects.
    """

    def __init__(self, scratch: Scratch, events: Table, rejects: Table) -> None:
        self.acquisition = scratch.folder.name
        self._connection = scratch.engine("staging.duckdb")
        key = ("date", "source", "tenant", "event_uid")
        self.new_events = Pile(scratch, self._connection, events, key, once=True)
        # A record of several events may be rejected several times.
        self.new_rejects = Pile(scratch, self._connection, rejects, ("evidence", "evidence_record"), once=False)
        self.events = 0
        self.rejects = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, events: pa.Table, rejects: pa.Table) -> None:
        """Put some events and some rejects in."""
        at = rejects.schema.get_field_index("acquisition")
        named = rejects.set_column(at, rejects.schema.field(at), pa.repeat(self.acquisition, rejects.num_rows))
        self.new_events.add(events, self.events)
        self.new_rejects.add(named, self.rejects)
        self.events += events.num_rows
        self.rejects += rejects.num_rows


class Pile:
    """The rows of an acquisition for one table, less those the table has already.

    Args:
        scratch: where files are made.
        connection: of the staging's engine.
        table: that they are for.
        key: the columns that make a row the same as another.
        once: whether the second of two equal rows of this pile is dropped too.

    Attributes:
        dropped: how many rows were found to be in the table, or twice in the pile.
    """

    def __init__(
        self, scratch: Scratch, connection: duckdb.DuckDBPyConnection, table: Table, key: Sequence[str], *, once: bool
    ) -> None:
        self._scratch, self._connection, self._table = scratch, connection, table
        self._key, self._once = ", ".join(key), once
        self._rows, self._known = f"rows_by_{key[0]}", f"known_by_{key[0]}"
        self._looked_at: set[str] = set()
        self._files: list[AddAction] | None = None
        self.dropped = 0
        connection.register("empty", table.schema.empty_table())
        connection.execute(f"CREATE TABLE {self._rows} AS SELECT *, 0::BIGINT AS seq FROM empty")
        connection.unregister("empty")

    def add(self, rows: pa.Table, first: int) -> None:
        """Put rows in, which are counted from `first`."""
        if not rows.num_rows:
            return
        numbers = pa.array(range(first, first + rows.num_rows), pa.int64())
        self._connection.register("incoming", rows.append_column("seq", numbers))
        self._connection.execute(f"INSERT INTO {self._rows} SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def files(self, snapshot: Snapshot) -> list[AddAction]:
        """The files that hold what a snapshot of the table does not have yet; written, but of no snapshot yet.

        Called again with a later snapshot, only its new files are looked at; where they hold nothing of this pile,
        what was written before is given again.
        """
        places = {value: f"{self._table.partition_by}={value}/" for value in self._partitions()}
        unseen = [name for name in snapshot.names if name not in self._looked_at]
        near = [name for name in unseen if None in places or name.startswith(tuple(places.values()))]
        found = self._drop([self._table.storage.locate(name) for name in near]) if near or self._files is None else 0
        self._looked_at.update(unseen)
        self.dropped += found
        if self._files is None or found:
            # Nothing can commit the earlier files any more: another writer has the version they were offered as.
            self._table.storage.remove(action.path for action in self._files or ())
            self._files = [self._write(value, places[value]) for value in self._partitions()]
        return self._files

    def _partitions(self) -> list[str | None]:
        """The values of the partition's column; None alone for a table without one."""
        by = self._table.partition_by
        (column,) = (f"{by}::VARCHAR",) if by else ("NULL",)
        rows = self._connection.execute(f"SELECT DISTINCT {column} FROM {self._rows} ORDER BY 1").fetchall()
        return [row[0] for row in rows]

    def _drop(self, files: list[str]) -> int:
        """Drop what is in some files of the table; how many rows that were."""
        expose(self._connection, self._known, self._table, files)
        key, rows, by = self._key, self._rows, self._table.partition_by
        near = f"WHERE {by} IN (SELECT DISTINCT {by} FROM {rows})" if by else ""
        twice = "n > 1" if self._once else "false"
        self._connection.execute(f"""
            CREATE OR REPLACE TABLE extra AS
            WITH numbered AS (SELECT {key}, seq, row_number() OVER (PARTITION BY {key} ORDER BY seq) AS n FROM {rows}),
            known AS (SELECT DISTINCT {key}, true AS there FROM {self._known} {near})
            SELECT seq FROM numbered LEFT JOIN known USING ({key}) WHERE {twice} OR known.there""")
        self._connection.execute(f"DELETE FROM {rows} WHERE seq IN (SELECT seq FROM extra)")
        return int(self._connection.execute("SELECT count(*) FROM extra").fetchall()[0][0])

    def _write(self, value: str | None, folder: str) -> AddAction:
        schema, by = self._table.file_schema, self._table.partition_by
        where = f"WHERE {by} = {literal(value)}" if by and value else ""
        order = ", ".join((*self._table.order, "seq"))
        rows = self._connection.sql(f"SELECT {', '.join(schema.names)} FROM {self._rows} {where} ORDER BY {order}")
        name = f"{folder if by else ''}{self._scratch.folder.name}-{secrets.token_hex(4)}.parquet"
        partition: dict[str, Any] = {by: value} if by else {}
        return self._scratch.put(self._table, name, cast(rows.to_arrow_reader(parquet.ROW_GROUP), schema), partition)


def cast(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches with the very types of the schema, which the engine may have widened."""
    for batch in reader:
        columns = [column.cast(kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)

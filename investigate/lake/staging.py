"""Where an acquisition's events wait until all are there: deduplicated, sorted, committed together, or not at all."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Self

import duckdb
import pyarrow as pa

from investigate.events import event_schema, reject_schema
from investigate.lake import parquet
from investigate.lake.private import make_folder
from investigate.lake.sql import file_list, literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from deltalake.transaction import AddAction

    from investigate.lake.table import Table

_KEY = ("date", "source", "tenant", "event_uid")


class Staging:
    """An acquisition's events and rejects, on disk, in a folder of their own that goes when this is closed.

    Args:
        folder: for the engine's file and what it spills.
        memory: what the engine may use, in bytes.
    """

    def __init__(self, folder: Path, memory: int) -> None:
        self._folder = folder
        make_folder(folder)
        self._connection = duckdb.connect(
            str(folder / "staging.duckdb"),
            config={
                "memory_limit": f"{memory // 2**20}MiB",
                "temp_directory": str(folder / "spill"),
                "autoinstall_known_extensions": "false",
                "preserve_insertion_order": "false",
            },
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")  # it goes to standard output, among results
        for name, schema in (("staged", event_schema()), ("rejected", reject_schema())):
            self._connection.register("empty", schema.empty_table())
            self._connection.execute(f"CREATE TABLE {name} AS SELECT *, 0::BIGINT AS seq FROM empty")
            self._connection.unregister("empty")
        self.events = 0
        self.rejects = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, events: pa.Table, rejects: pa.Table) -> None:
        """Put some events and some rejects in."""
        self._insert("staged", events, self.events)
        self._insert("rejected", rejects, self.rejects)
        self.events += events.num_rows
        self.rejects += rejects.num_rows

    def _insert(self, table: str, rows: pa.Table, first: int) -> None:
        if not rows.num_rows:
            return
        numbers = pa.array(range(first, first + rows.num_rows), pa.int64())
        self._connection.register("incoming", rows.append_column("seq", numbers))
        self._connection.execute(f"INSERT INTO {table} SELECT * FROM incoming")
        self._connection.unregister("incoming")

    def dates(self) -> list[date]:
        """The UTC days of the events."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT date FROM staged ORDER BY date").fetchall()]

    def drop_duplicates(self, existing: list[str]) -> int:
        """Drop what is there twice, or already in the lake; the first one stays.

        Args:
            existing: the lake's files of the days in `dates()`.

        Returns:
            How many events were dropped.
        """
        key = ", ".join(_KEY)
        found = file_list(existing) if existing else "(FROM staged WHERE false)"
        self._connection.execute(f"""
            CREATE TABLE extra AS
            WITH numbered AS (SELECT {key}, seq, row_number() OVER (PARTITION BY {key} ORDER BY seq) AS n FROM staged),
            known AS (SELECT DISTINCT {key} FROM {found} WHERE date IN (SELECT DISTINCT date FROM staged))
            SELECT seq FROM numbered LEFT JOIN known USING ({key}) WHERE n > 1 OR known.source IS NOT NULL""")
        self._connection.execute("DELETE FROM staged WHERE seq IN (SELECT seq FROM extra)")
        return int(self._connection.execute("SELECT count(*) FROM extra").fetchall()[0][0])

    def write(self, table: Table, name: str) -> list[AddAction]:
        """Write what is left as one file a day, sorted by time.

        Args:
            table: whose folder to write in.
            name: of the files, below each day's folder.
        """
        return [self._write_day(table, day, name) for day in self.dates()]

    def write_rejects(self, table: Table, name: str, existing: list[str]) -> list[AddAction]:
        """Write the rejects that are new: not from the same place of the same evidence as one in `existing`.

        Args:
            table: whose folder to write in.
            name: of the file, and the acquisition that met them first.
            existing: the table's files.
        """
        place = "evidence, evidence_record"
        known = file_list(existing, by_date=False) if existing else "(FROM rejected WHERE false)"
        schema = reject_schema()
        columns = ", ".join(column for column in schema.names if column != "acquisition")
        rows = self._connection.sql(
            f"SELECT {columns}, {literal(name)} AS acquisition "
            f"FROM rejected ANTI JOIN (SELECT {place} FROM {known}) USING ({place}) ORDER BY seq"
        )
        batches = list(_cast(rows.to_arrow_reader(parquet.ROW_GROUP), schema))
        if not sum(batch.num_rows for batch in batches):
            return []
        return [parquet.write(table.path, f"{name}.parquet", batches, schema, {})]

    def _write_day(self, table: Table, day: date, name: str) -> AddAction:
        schema = pa.schema([field for field in event_schema() if field.name != "date"])
        columns = ", ".join(schema.names)
        rows = self._connection.sql(
            f"SELECT {columns} FROM staged WHERE date = {literal(day.isoformat())} ORDER BY time, source, event_uid"
        )
        reader = rows.to_arrow_reader(parquet.ROW_GROUP)
        path = f"date={day.isoformat()}/{name}.parquet"
        return parquet.write(table.path, path, _cast(reader, schema), schema, {"date": day.isoformat()})


def _cast(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        columns = [column.cast(kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)

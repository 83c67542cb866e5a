"""Ways to keep `touches`, to be compared: full rows in Parquet, integers with dictionaries, edges in SQLite."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Final

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import world

from investigate.lake.ordered import _FILE
from investigate.lake.parquet import _DELTAS, ROW_GROUP
from investigate.lake.portions import most
from investigate.lake.sql import file_list, literal
from investigate.lake.touches import BY_ACTOR, ORDERS, Order, kept, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from investigate.events import Window

LEADS: Final = tuple(order.lead for order in ORDERS)
CODED: Final = (*LEADS, "credential", "actor_name", "actor_email")
"""Columns of text that a layout of integers keeps as numbers; what has few values Parquet numbers by itself."""
BY_DAY: Final = Order("by_day", "", ("resource", "first", "actor"), ROW_GROUP, BY_ACTOR.columns)
BY_Z: Final = Order("by_z", "", ("z",), ROW_GROUP, BY_ACTOR.columns)
_EPOCH: Final = date(1970, 1, 1)
_RANK: Final = "1024 * (rank() OVER (ORDER BY {0}) - 1) // count(*) OVER () AS rank_{0}"
_RANKED: Final = f"(SELECT *, {', '.join(_RANK.format(lead) for lead in LEADS)} FROM rows)"
# Equal values have equal ranks, and a file's smallest and largest value tell what is not in it: hashes would hide it.
_Z: Final = " | ".join(
    f"((rank_{lead} >> {bit} & 1) << {3 * bit + at})" for bit in range(10) for at, lead in enumerate(LEADS)
)


@dataclass(frozen=True)
class File:
    """A file, and the smallest and largest value of each column."""

    path: Path
    bounds: dict[str, tuple[Any, Any]]

    def may_hold(self, column: str, low: Any, high: Any) -> bool:
        smallest, largest = self.bounds.get(column, (low, high))
        return bool(smallest <= high and low <= largest)


def connect(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """DuckDB as the lake sets it up."""
    engine = duckdb.connect(database, config={"memory_limit": "4GiB"})
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute("SET enable_progress_bar = false")
    return engine


@dataclass
class Full:
    """Rows as they are, in one or more orders.

    Attributes:
        name: as printed.
        folder: for its files.
        orders: the one with the looked-up column in front is asked, or the only one.
        group: rows of a row group; there are as many groups in a file as the lake's have.
        days: whose rows are sorted as one; None is as many as a run of the lake's has.
        bloom: columns with a bloom filter.
        buckets: into which the leading column's values, integers, are divided; 0 is none.
    """

    name: str
    folder: Path
    orders: Sequence[Order] = ORDERS
    group: int = ROW_GROUP
    days: int | None = None
    bloom: Sequence[str] = ()
    buckets: int = 0
    source: ClassVar[str] = "rows"
    _files: dict[tuple[str, int], list[File]] = field(default_factory=dict, init=False)
    _engine: duckdb.DuckDBPyConnection = field(default_factory=connect, init=False)

    def build(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Write the table `rows`."""
        total = engine.sql("SELECT count(*) FROM rows").fetchall()[0][0]
        days = self.days or -(-world.DAYS // -(-total // most(total)))
        parts = itertools.product(self.orders, range(0, world.DAYS, days), range(self.buckets or 1))
        for order, first, bucket in parts:
            source = f"(SELECT *, {_Z} AS z FROM {_RANKED})" if order is BY_Z else self.source
            of_bucket = f"AND {order.lead} % {self.buckets} = {bucket}" if self.buckets else ""
            rows = engine.sql(f"""
                SELECT {kept(order)} FROM {source} WHERE date >= DATE '{world.START}' + {first}
                AND date < DATE '{world.START}' + {first + days} {of_bucket} ORDER BY {", ".join(order.sort)}""")
            files = write(
                rows, self._schema(order), self.folder / order.name / f"{first}-{bucket}", self.group, self.bloom
            )
            self._files.setdefault((order.name, bucket), []).extend(files)

    def rows(self, lead: str, value: str, window: Window) -> pl.DataFrame:
        """The touches with this value."""
        order = self._order(lead)
        return self._engine.sql(self._found(order, lead, value, window, read(order)), params=_ends(window, value)).pl()

    def _order(self, lead: str) -> Order:
        return next((order for order in self.orders if order.lead == lead), self.orders[0])

    def _found(self, order: Order, lead: str, value: Any, window: Window, shown: str) -> str:
        files = [
            str(file.path)
            for file in self._files[order.name, value % self.buckets if self.buckets else 0]
            if file.may_hold(lead, value, value) and file.may_hold("first", window.start, window.end)
        ]
        where = f"{lead} = $value AND first < $end AND {order.last} >= $start"
        return f"SELECT {shown} FROM {file_list(files, by_date=False)} WHERE {where}"

    def _schema(self, order: Order) -> pa.Schema:
        return order.schema()


class Coded(Full):
    """Integers in place of long text, in the text's order, with dictionaries to and fro."""

    source = "coded"

    def build(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Write the table `rows`."""
        code(engine, CODED)
        names = pa.schema([("id", pa.int32()), ("value", pa.string())])
        self._names = {
            column: list(write(engine.sql(f"FROM ids_{column} ORDER BY id"), names, self.folder / column, self.group))
            for column in CODED
        }
        super().build(engine)

    def rows(self, lead: str, value: str, window: Window) -> pl.DataFrame:
        """The touches with this value."""
        order = self._order(lead)
        files = [str(file.path) for file in self._names[lead] if file.may_hold("value", value, value)]
        query = f"SELECT id FROM {file_list(files, by_date=False)} WHERE value = $value"
        ((key,),) = self._engine.sql(query, params={"value": value}).fetchall()
        # Made first, so that the planner knows how few rows there are and lets them choose what it reads of the names.
        found = self._found(order, lead, key, window, "*")
        self._engine.execute(f"CREATE OR REPLACE TEMP TABLE found AS {found}", _ends(window, key))
        joins, told = "", f"{literal(value)} AS {lead}"
        for name in set(CODED) - {lead}:
            names = file_list([str(file.path) for file in self._names[name]], by_date=False)
            joins += f" LEFT JOIN {names} AS {name} ON {name}.id = found.{name}"
            told += f", {name}.value AS {name}"
        return self._engine.sql(f"SELECT {read(order)} FROM (SELECT found.* REPLACE ({told}) FROM found {joins})").pl()

    def _schema(self, order: Order) -> pa.Schema:
        return pa.schema([field.with_type(pa.int32()) if field.name in CODED else field for field in order.schema()])


@dataclass
class Edges:
    """Who, what, from where and on which day, as integers in SQLite, in three orders: nothing else of a touch."""

    name: str
    folder: Path

    def build(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Write the table `rows`."""
        code(engine, LEADS)
        self.folder.mkdir(parents=True)
        self._engine = sqlite3.connect(self.folder / "edges.sqlite")
        for lead in LEADS:
            columns = [lead, "date", *(other for other in LEADS if other != lead)]
            typed, key = ", ".join(f"{name} INTEGER" for name in columns), ", ".join(columns)
            self._engine.execute(f"CREATE TABLE names_{lead} (id INTEGER PRIMARY KEY, value TEXT UNIQUE)")
            self._engine.execute(f"CREATE TABLE by_{lead} ({typed}, PRIMARY KEY ({key})) WITHOUT ROWID")
            self._fill(engine, f"names_{lead}", 2, f"FROM ids_{lead} ORDER BY id")
            days = key.replace("date", f"date - DATE '{_EPOCH}'")
            self._fill(engine, f"by_{lead}", 4, f"SELECT DISTINCT {days} FROM coded ORDER BY ALL")
        self._engine.commit()

    def rows(self, lead: str, value: str, window: Window) -> pl.DataFrame:
        """Date, resource, actor and address of the touches with this value."""
        joins = " ".join(f"LEFT JOIN names_{name} AS {name} ON {name}.id = found.{name}" for name in LEADS)
        query = f"""
            SELECT found.date, {", ".join(f"{name}.value" for name in LEADS)} FROM by_{lead} AS found {joins}
            WHERE found.{lead} = (SELECT id FROM names_{lead} WHERE value = ?) AND found.date >= ? AND found.date < ?"""
        ends = [(moment.date() - _EPOCH).days for moment in (window.start, window.end)]
        found = self._engine.execute(query, [value, *ends]).fetchall()
        return pl.DataFrame(found, schema=["date", *LEADS], orient="row").cast({"date": pl.Date})

    def _fill(self, engine: duckdb.DuckDBPyConnection, table: str, width: int, query: str) -> None:
        rows = engine.execute(query)
        while some := rows.fetchmany(100_000):
            self._engine.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", some)


def write(
    rows: duckdb.DuckDBPyRelation, schema: pa.Schema, folder: Path, group: int, bloom: Sequence[str] = ()
) -> Iterator[File]:
    """Write rows as the lake does, but for the size of a row group and bloom filters."""
    folder.mkdir(parents=True)
    deltas = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in (*_DELTAS, "id")}
    options = {
        "compression": "zstd",
        "use_dictionary": [name for name in schema.names if name not in deltas],
        "column_encoding": deltas,
        "bloom_filter_options": {name: {"ndv": group, "fpp": 0.01} for name in bloom},
    }
    batches = (batch.cast(schema) for batch in rows.to_arrow_reader(group))
    for number, first in enumerate(batches):
        path = folder / f"{number:04}.parquet"
        with pq.ParquetWriter(path, schema, **options) as writer:
            for batch in itertools.chain([first], itertools.islice(batches, max(_FILE // group, 1) - 1)):
                writer.write_batch(batch, row_group_size=group)
        yield File(path, _bounds(pq.read_metadata(path)))


def code(engine: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    """Number the values of some columns in their order, in tables `ids_…`; `coded` is `rows` with the numbers."""
    for name in columns:
        distinct = f"SELECT DISTINCT {name} AS value FROM rows WHERE {name} IS NOT NULL"
        numbered = f"SELECT (row_number() OVER (ORDER BY value))::INT AS id, value FROM ({distinct})"
        engine.execute(f"CREATE OR REPLACE TABLE ids_{name} AS {numbered}")
    joins = " ".join(f"LEFT JOIN ids_{name} AS {name} ON {name}.value = rows.{name}" for name in columns)
    told = ", ".join(f"{name}.id AS {name}" for name in columns)
    engine.execute(f"CREATE OR REPLACE TABLE coded AS SELECT rows.* REPLACE ({told}) FROM rows {joins} ORDER BY date")


def _bounds(metadata: pq.FileMetaData) -> dict[str, tuple[Any, Any]]:
    """The smallest and largest value of each column of a file, where its statistics tell."""
    found = {}
    for at in range(metadata.num_columns):
        groups = [metadata.row_group(number).column(at).statistics for number in range(metadata.num_row_groups)]
        if all(group is not None and group.has_min_max for group in groups):
            name = metadata.schema.column(at).name
            found[name] = (min(group.min for group in groups), max(group.max for group in groups))
    return found


def _ends(window: Window, value: Any) -> dict[str, Any]:
    return {"value": value, "start": window.start, "end": window.end}

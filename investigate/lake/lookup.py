"""Look-ups in `touches`: the few rows of some resources, actors or addresses, found by opening a few files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from investigate.lake import sql
from investigate.lake.table import Snapshot
from investigate.lake.touches import BY_RESOURCE, BY_SRC_IP, COLUMNS, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import polars as pl

    from investigate.events import Window
    from investigate.lake.runs import Runs

_ROW: Final = 512
"""Bytes a row is reckoned to take in memory."""


class LookUp:
    """Look-ups by DuckDB, on one connection that stays open: most of a short question's time would be opening it.

    Args:
        orders: the runs of each order, by name.
        memory: what a look-up may hold, in bytes.
    """

    def __init__(self, orders: Mapping[str, Runs], memory: int) -> None:
        self._orders, self._memory = orders, memory
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    @property
    def most(self) -> int:
        """So many rows a look-up brings at most."""
        return max(self._memory // _ROW, 1)

    def rows(self, order: str, values: Sequence[str], window: Window, version: int) -> tuple[pl.DataFrame, str] | None:
        """The touches of some values in a window, and the query that found them.

        Args:
            order: its name; the values are of its leading column.
            values: some; none finds nothing.
            window: touches are there that begin before its end and end at its start or later.
            version: of the events.

        Returns:
            None where there are more than `most` rows, or where another version of the events is summed up.

        Raises:
            LakeError: the files cannot be read.
        """
        runs = self._orders[order]
        # By an equality DuckDB passes over the row groups that cannot hold the value.
        wanted = "= $values[1]" if len(values) == 1 else "IN (SELECT unnest($values))"
        query = f"""
            SELECT {read(runs.order)} FROM found
            WHERE {runs.order.lead} {wanted} AND first < $end AND {runs.order.last} >= $start LIMIT {self.most + 1}"""
        bound = {"values": list(values), "start": window.start, "end": window.end}
        files = runs.files(values, window, version)
        if files is None:
            return None
        found = self._ask(runs, files, query, bound)
        return (found, query) if found.height <= self.most else None

    def connect(self, order: str, version: int) -> duckdb.DuckDBPyConnection | None:
        """A locked connection with the view `touches`: all rows of an order, as that keeps them; None as in `rows`."""
        runs = self._orders[order]
        files = runs.files(version=version)
        if files is None:
            return None
        return sql.connect({"touches": (runs.table, Snapshot(version, tuple(files)))}, self._memory)

    def scan(
        self, order: str, values: Sequence[str] | None, window: Window | None, version: int
    ) -> pl.LazyFrame | None:
        """The rows that `rows` finds, however many, as Polars reads them.

        Args:
            order: see `rows`.
            values: see `rows`; None is all.
            window: see `rows`; None is all of time.
            version: of the events.

        Returns:
            None where another version of the events is summed up.
        """
        import polars as pl  # noqa: PLC0415 - half a second that other engines' users need not wait

        runs = self._orders[order]
        files = runs.files(values, window, version)
        if files is None:
            return None
        if not files:
            return pl.DataFrame(pl.from_arrow(BY_RESOURCE.schema.empty_table())).lazy()
        lazy = pl.scan_parquet(files, glob=False, storage_options=runs.table.storage.options)
        told = {
            "date": pl.col("first").dt.date().alias("date"),
            "last": (pl.col("first") + pl.duration(microseconds=pl.col("span"))).alias("last"),
        }
        missing = [name for name in told if name not in runs.order.columns]
        if values is not None:
            lazy = lazy.filter(pl.col(runs.order.lead).is_in(list(values)))
        shown = lazy.with_columns(*(told[name] for name in missing)).select(list(COLUMNS))
        if window is None:
            return shown
        return shown.filter(pl.col("first") < window.end, pl.col("last") >= window.start)

    def addresses(self, version: int) -> list[str] | None:
        """All distinct `src_ip`; None where another version of the events is summed up."""
        runs = self._orders[BY_SRC_IP.name]
        files = runs.files(version=version)
        if files is None:
            return None
        query = "SELECT DISTINCT src_ip FROM found WHERE src_ip IS NOT NULL"
        return self._ask(runs, files, query, {})["src_ip"].to_list()

    def _ask(self, runs: Runs, files: Sequence[str], query: str, bound: dict[str, Any]) -> pl.DataFrame:
        with self._lock:
            if self._connection is None:
                folders = [folder for own in self._orders.values() for folder in own.table.storage.local_folders]
                self._connection = sql.connect({}, self._memory, folders)
            connection = self._connection
            sql.expose(connection, "found", runs.table, files)
            found: pl.DataFrame = sql.interruptible([connection], lambda: connection.sql(query, params=bound).pl())
            return found

"""Look-ups in `touches`: the few rows of some resources, actors or addresses, in few files or of few rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from investigate.errors import LakeError, first_line
from investigate.lake.runs import midnight
from investigate.lake.touches import BY_RESOURCE, BY_SRC_IP, COLUMNS, kept, nothing, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import polars as pl

    from investigate.events import Window
    from investigate.lake.runs import Runs
    from investigate.lake.touches import Order

_ROW: Final = 512
"""Bytes a row is reckoned to take in memory."""
REBUILD: Final = "Sum the events up anew: investigate lake rebuild-touches"
"""What to do where a file of `touches` is gone."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LookUp:
    """Look-ups by Polars, whatever the engine: it has the few rows of a value before DuckDB has opened the files.

    Args:
        orders: the runs of each order, by name.
        memory: what a look-up may hold, in bytes.
    """

    def __init__(self, orders: Mapping[str, Runs], memory: int) -> None:
        self._orders, self._memory = orders, memory

    @property
    def most(self) -> int:
        """So many rows a look-up brings at most."""
        return max(self._memory // _ROW, 1)

    def days(self) -> int:
        """From the first day of which something is summed up to the last, both counted; 0 where nothing is."""
        runs = self._orders[BY_RESOURCE.name].runs()
        return (max(run.last for run in runs) - min(run.first for run in runs)).days + 1 if runs else 0

    def rows(self, order: str, values: Sequence[str], window: Window, version: int) -> pl.DataFrame | None:
        """The touches of some values in a window.

        Args:
            order: its name; the values are of its leading column.
            values: some; none finds nothing.
            window: touches are there that begin before its end and end at its start or later.
            version: of the events.

        Returns:
            The columns of `touches`. None where there are more than `most` rows, or where another version of the
            events is summed up.

        Raises:
            LakeError: the files cannot be read.
        """
        lazy = self.scan(order, values, window, version)
        if lazy is None:
            return None
        found = _collected(lazy.head(self.most + 1))
        return found if found.height <= self.most else None

    def query(self, order: str) -> str:
        """What `rows` finds, in DuckDB's SQL over an order's table; its arguments: `$values`, `$start` and `$end`."""
        own, lead = self._kept(order).order, self._orders[order].order.lead
        return (
            f"SELECT {read(own)} FROM {own.name} "
            f"WHERE {lead} IN (SELECT unnest($values)) AND first < $end AND {own.last} >= $start"
        )

    def expose(self, connection: duckdb.DuckDBPyConnection, order: str, version: int) -> bool:
        """Make all rows of an order, as that keeps them, a view of its name; whether they can tell, see `rows`.

        Args:
            connection: where, and as long as which, there is the view.
            order: its name.
            version: of the events.

        Raises:
            LakeError: a file cannot be read.
        """
        from investigate.lake import sql  # noqa: PLC0415 - DuckDB, which a look-up does without

        found = self.files(order, version)
        if found is None:
            return False
        own = found[0].name
        try:
            sql.expose(connection, own, self._orders[own].table, found[1], passing=True)
        except LakeError as error:
            raise LakeError(error.message, REBUILD) from error
        if own != order:
            columns = kept(self._orders[order].order)
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {order} AS SELECT {columns} FROM {own}")
        return True

    def scan(
        self, order: str, values: Sequence[str] | None, window: Window | None, version: int
    ) -> pl.LazyFrame | None:
        """The rows that `rows` finds, however many, to be collected.

        Args:
            order: see `rows`.
            values: see `rows`; None is all.
            window: see `rows`; None is all of time.
            version: of the events.

        Returns:
            None where another version of the events is summed up.
        """
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        found = self.files(order, version, values, window)
        if found is None:
            return None
        own, files = found
        if not files:
            return nothing().lazy()
        options = self._orders[own.name].table.storage.options
        lazy = pl.scan_parquet(files, glob=False, hive_partitioning=False, storage_options=options)
        if values is not None:
            # By an equality Polars passes over the row groups that cannot hold the value.
            lead = pl.col(self._orders[order].order.lead)
            lazy = lazy.filter(lead == values[0] if len(values) == 1 else lead.is_in(list(values)))
        if window is not None:  # also by the day, of which all of a touch is: the files of some orders have no `last`
            lazy = lazy.filter(
                pl.col("first") < _moment(window.end), pl.col("first") >= _moment(midnight(window.start))
            )
        told = {
            "date": pl.col("first").dt.date().alias("date"),
            "last": (pl.col("first") + pl.duration(microseconds=pl.col("span"))).alias("last"),
        }
        missing = [name for name in told if name not in own.columns]
        shown = lazy.with_columns(*(told[name] for name in missing)).select(list(COLUMNS))
        return shown if window is None else shown.filter(pl.col("last") >= _moment(window.start))

    def files(
        self, order: str, version: int, values: Sequence[str] | None = None, window: Window | None = None
    ) -> tuple[Order, list[str]] | None:
        """An order that has the rows, and its files that `scan` would read; its arguments."""
        runs = self._kept(order)
        files = runs.files(values if runs.order.name == order else None, window, version)
        return None if files is None else (runs.order, files)

    def _kept(self, order: str) -> Runs:
        """The runs of an order, or those of `touches` while that is the only one that is kept."""
        own = self._orders[order]
        return self._orders[BY_RESOURCE.name] if own.events_version is None else own

    def addresses(self, version: int) -> list[str] | None:
        """All distinct `src_ip`; None where another version of the events is summed up."""
        lazy = self.scan(BY_SRC_IP.name, None, None, version)
        return None if lazy is None else _collected(lazy.select("src_ip").unique())["src_ip"].drop_nulls().to_list()


def _collected(lazy: pl.LazyFrame) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    try:
        return lazy.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LakeError(f"The lake could not be read: {first_line(error)}", REBUILD) from error


def _moment(at: datetime) -> pl.Expr:
    """A time as Polars has it, without the third of a millisecond that its literals of an aware one take."""
    import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

    return pl.lit((at - _EPOCH) // timedelta(microseconds=1), pl.Int64).cast(pl.Datetime("us", "UTC"))

"""The engines a question can be asked of: each gives the events as a lazy frame, and collects what is made of it.

What differs between engines stands here and nowhere else; a trace is one function for all of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from investigate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import narwhals as nw
    import polars as pl

    from investigate.events import Window
    from investigate.lake.lake import Lake

ENGINES: Final = ("duckdb", "polars", "spark")
_ON: Final = "="


class Opened(Protocol):
    """The events of one version of the lake on one engine, and their roll-up."""

    @property
    def events(self) -> nw.LazyFrame[Any]:
        """The canonical events."""

    def look_up(self, order: str, values: Sequence[str], window: Window) -> tuple[pl.DataFrame, str | None] | None:
        """Rows of `touches`, and the query that found them where it is SQL; None where the events must tell.

        Args:
            order: of `touches`, whose leading column the values are of.
            values: what is looked up.
            window: touches are there that begin before its end and end at its start or later.
        """

    def touches(self, order: str) -> nw.LazyFrame[Any] | None:
        """All rows of an order of `touches`, as that keeps them; None where there are only the events."""

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        """The rows of some frames made of `events` or of `touches`; Ctrl-C ends it."""

    def sql(self, frame: nw.LazyFrame[Any]) -> str | None:
        """What the engine runs for a frame, None where that is no SQL."""

    def close(self, error: BaseException | None = None) -> None:
        """Give back what was opened; frames made of `events` are of no use from then on.

        Args:
            error: what came in between.
        """


def parse(engine: str) -> tuple[str, str | None]:
    """The name of an engine and where it runs: `duckdb`, `polars`, `spark`, or `spark=sc://host:port`.

    Raises:
        UsageError: there is no such engine.
    """
    name, on, where = engine.partition(_ON)
    if name not in ENGINES or (on and name != "spark"):
        raise UsageError(
            f"{name!r} is no engine." if name not in ENGINES else f"{name} runs in this process, nowhere else.",
            f"Engines are {', '.join(ENGINES)} and spark=sc://host:port.",
        )
    if on and not where:
        raise UsageError("It is not said where Spark runs.", "Write spark=sc://host:port, or spark for this machine.")
    return name, where or None


def opened(engine: str, lake: Lake, version: int, memory: int) -> Opened:
    """The events of a lake on an engine.

    Args:
        engine: as `parse` reads it.
        lake: whose events.
        version: Delta version of the events.
        memory: what an engine of our own may use, in bytes.

    Raises:
        UsageError: there is no such engine, or it is not installed.
        LakeError: it cannot read the lake.
    """
    name, where = parse(engine)
    if name == "duckdb":
        return _DuckDB(lake, version)
    if name == "polars":
        return _Polars(lake, version)
    return _Spark(lake, version, where, memory)


def lasting(engine: str, lake: Lake, version: int, memory: int) -> nw.LazyFrame[Any]:
    """The events as a frame that needs not be closed: what it is read from lives as long as it does.

    Args:
        engine: see `opened`; so for all.
        lake: see `opened`.
        version: see `opened`.
        memory: see `opened`.

    Raises:
        UsageError: see `opened`.
        LakeError: see `opened`.
    """
    if parse(engine)[0] == "duckdb":
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        return nw.from_native(lake.connect(version).query("FROM events"))
    return opened(engine, lake, version, memory).events


class _DuckDB:
    def __init__(self, lake: Lake, version: int) -> None:
        self._lake, self._version = lake, version
        self._borrowed = ExitStack()

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._borrowed.enter_context(self._lake.idle.connection())

    @cached_property
    def events(self) -> nw.LazyFrame[Any]:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        self._lake.expose(self._connection, self._version)
        return nw.from_native(self._connection.query("FROM events"))

    def touches(self, order: str) -> nw.LazyFrame[Any] | None:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        if not self._lake.look_up.expose(self._connection, order, self._version):
            return None
        return nw.from_native(self._connection.table(order))

    def look_up(self, order: str, values: Sequence[str], window: Window) -> tuple[pl.DataFrame, str | None] | None:
        found = self._lake.look_up.rows(order, values, window, self._version)
        return None if found is None else (found, self._lake.look_up.query(order))

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        from investigate.lake.sql import interruptible  # noqa: PLC0415 - imports duckdb

        natives = [frame.to_native() for frame in frames]
        return interruptible([self._connection], lambda: [native.pl() for native in natives])

    def sql(self, frame: nw.LazyFrame[Any]) -> str | None:
        text: str = frame.to_native().sql_query()
        return text

    def close(self, error: BaseException | None = None) -> None:
        self._borrowed.__exit__(type(error) if error else None, error, None)


class _Polars:
    def __init__(self, lake: Lake, version: int) -> None:
        self._lake, self._version = lake, version

    @cached_property
    def events(self) -> nw.LazyFrame[Any]:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        return nw.from_native(self._lake.scan(self._version))

    def touches(self, order: str) -> nw.LazyFrame[Any] | None:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        found = self._lake.look_up.scan(order, None, None, self._version)
        return None if found is None else nw.from_native(found)

    def look_up(self, order: str, values: Sequence[str], window: Window) -> tuple[pl.DataFrame, str | None] | None:
        found = self._lake.look_up.rows(order, values, window, self._version)
        return None if found is None else (found, None)

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        return pl.collect_all([frame.to_native() for frame in frames])

    def sql(self, _frame: nw.LazyFrame[Any]) -> str | None:
        return None

    def close(self, error: BaseException | None = None) -> None:
        del error


class _Spark:
    def __init__(self, lake: Lake, version: int, where: str | None, memory: int) -> None:
        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        self._lake, self._version = lake, version
        self._session = spark.session(where, memory)

    @cached_property
    def events(self) -> nw.LazyFrame[Any]:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        events: nw.LazyFrame[Any] = nw.from_native(
            spark.events(self._session, self._lake.events.snapshot(self._version).files)
        )
        return events

    def touches(self, _order: str) -> None:
        """Spark reads the events: what it is asked for is more than a machine holds."""

    def look_up(self, _order: str, _values: Sequence[str], _window: Window) -> None:
        """See `touches`."""

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        return spark.fetch(self._session, [frame.to_native() for frame in frames])

    def sql(self, _frame: nw.LazyFrame[Any]) -> str | None:
        return None

    def close(self, error: BaseException | None = None) -> None:
        """Nothing: the session is the process's, and starting one takes seconds."""
        del error

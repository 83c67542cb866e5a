"""The engines a question can be asked of: each gives the events as a lazy frame, and collects what is made of it.

What differs between engines stands here and nowhere else; a trace is one function for all of them.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from investigate.errors import UsageError
from investigate.events import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    import narwhals as nw
    import polars as pl

    from investigate.lake.lake import Lake

ENGINES: Final = ("duckdb", "polars", "spark")
_ON: Final = "="


class Opened(Protocol):
    """The events of one version of the lake on one engine, and their roll-up."""

    @property
    def events(self) -> nw.LazyFrame[Any]:
        """The canonical events."""

    def touches(self, order: str) -> nw.LazyFrame[Any] | None:
        """All rows of an order of `touches`, as that keeps them; None where there are only the events."""

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        """The rows of some frames made of `events` or of `touches`; Ctrl-C ends it."""

    def sql(self, frame: nw.LazyFrame[Any]) -> str | None:
        """What the engine runs for a frame, None where that is no SQL."""


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


@contextmanager
def opened(engine: str, lake: Lake, version: int, memory: int) -> Iterator[Opened]:
    """The events of a lake on an engine; frames made of them are of no use afterwards.

    Args:
        engine: as `parse` reads it.
        lake: whose events.
        version: Delta version of the events.
        memory: what an engine of our own may use, in bytes.

    Raises:
        UsageError: there is no such engine, or it is not installed.
        LakeError: it cannot read the lake.
    """
    if parse(engine)[0] == "duckdb":
        with ExitStack() as borrowed:
            yield _DuckDB(lake, version, borrowed)
    else:
        yield _elsewhere(engine, lake, version, memory)


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
    return _elsewhere(engine, lake, version, memory).events


def _elsewhere(engine: str, lake: Lake, version: int, memory: int) -> Opened:
    """On an engine of which nothing is borrowed."""
    name, where = parse(engine)
    return _Polars(lake, version) if name == "polars" else _Spark(lake, version, where, memory)


class _DuckDB:
    def __init__(self, lake: Lake, version: int, borrowed: ExitStack) -> None:
        self._lake, self._version, self._borrowed = lake, version, borrowed

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

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        from investigate.lake.sql import interruptible  # noqa: PLC0415 - imports duckdb

        natives = [frame.to_native() for frame in frames]
        return interruptible([self._connection], lambda: [native.pl() for native in natives])

    def sql(self, frame: nw.LazyFrame[Any]) -> str | None:
        text: str = frame.to_native().sql_query()
        return text


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

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        import polars as pl  # noqa: PLC0415 - half a second that `import investigate` must not cost

        return pl.collect_all([frame.to_native() for frame in frames])

    def sql(self, _frame: nw.LazyFrame[Any]) -> str | None:
        return None


class _Spark:
    def __init__(self, lake: Lake, version: int, where: str | None, memory: int) -> None:
        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        self._lake, self._version = lake, version
        self._session = spark.session(where, memory)

    @cached_property
    def events(self) -> nw.LazyFrame[Any]:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        kinds = {name: kind for name, (kind, _) in COLUMNS.items()}
        files = self._lake.events.snapshot(self._version).files
        events: nw.LazyFrame[Any] = nw.from_native(spark.read(self._session, files, kinds))
        return events

    def touches(self, order: str) -> nw.LazyFrame[Any] | None:
        import narwhals as nw  # noqa: PLC0415 - heavy, like the engines themselves

        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        found = self._lake.look_up.files(order, self._version)
        if found is None:
            return None
        touches: nw.LazyFrame[Any] = nw.from_native(spark.read(self._session, found[1], found[0].kinds))
        return touches

    def collect(self, frames: Sequence[nw.LazyFrame[Any]]) -> list[pl.DataFrame]:
        from investigate.case import spark  # noqa: PLC0415 - only where Spark is asked for

        return spark.fetch(self._session, [frame.to_native() for frame in frames])

    def sql(self, _frame: nw.LazyFrame[Any]) -> str | None:
        return None

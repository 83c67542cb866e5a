"""DuckDB connections to a lake: of one's own, for as long as one likes, or borrowed for the length of a question."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from investigate.lake.idle import Idle
    from investigate.lake.table import Table


class Connections:
    """What `Lake` has of DuckDB.

    Attributes:
        events: a table.
        rejects: likewise.
    """

    events: Table
    rejects: Table
    _memory: int

    def _tables(self) -> tuple[Table, ...]:
        raise NotImplementedError

    def connect(self, version: int | None = None) -> duckdb.DuckDBPyConnection:
        """A locked DuckDB connection with the views `events` and `rejects`, and an engine of its own; see `lake.sql`.

        It is for code that is trusted: it can write to the lake's folders, too. What people ask goes to `sql.run`.

        Args:
            version: of the events, the newest where None.

        Raises:
            LakeError: there is no such version, or it cannot be read.
        """
        connection = self._start(keeps=True)
        try:
            self.expose(connection, version, passing=False)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def borrow(self, version: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same as `connect`, for the length of a question, on an engine that others have used and will use.

        Args:
            version: see `connect`.

        Raises:
            LakeError: see `connect`.
        """
        with self.idle.connection() as connection:
            self.expose(connection, version)
            yield connection

    @cached_property
    def idle(self) -> Idle:
        """Engines that can read this lake, for as long as a question takes."""
        from investigate.lake.idle import Idle  # noqa: PLC0415 - see `expose`

        return Idle(partial(self._start, keeps=False))

    def expose(
        self, connection: duckdb.DuckDBPyConnection, version: int | None = None, *, passing: bool = True
    ) -> None:
        """Make a version of the lake the views `events` and `rejects`; see `sql.expose`."""
        from investigate.lake.sql import expose  # noqa: PLC0415 - DuckDB, which a look-up does without

        expose(connection, "events", self.events, self.events.snapshot(version).files, passing=passing)
        expose(connection, "rejects", self.rejects, self.rejects.snapshot().files, passing=passing)

    def _start(self, *, keeps: bool) -> duckdb.DuckDBPyConnection:
        from investigate.lake.sql import start  # noqa: PLC0415 - see `expose`

        folders = [folder for table in self._tables() for folder in table.storage.local_folders]
        return start(self._memory, folders, keeps=keeps)

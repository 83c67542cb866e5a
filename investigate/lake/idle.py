"""DuckDB engines that wait for the next question: to start and to end one takes longer than to answer most.

A question has an engine to itself and works on a cursor of it; with the cursor goes all that it made: views, temporary
tables, registered frames, variables. Settings are locked. What waits holds no row of the lake, only its threads.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakSet, finalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

MOST: Final = 3
"""So many wait at most: one for a question, others for those asked at the same time."""


class Idle:
    """The engines of one lake that nobody uses at the moment; they end with it.

    Args:
        start: makes one, locked, without a view.
    """

    def __init__(self, start: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._start = start
        self._waiting: list[duckdb.DuckDBPyConnection] = []
        finalize(self, _end, self._waiting)  # also where the process ends first
        _all.add(self)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that nobody else uses and nobody used before, closed when left.

        What is made on it must be temporary. Its engine waits for the next unless the block was left by an error.
        """
        engine = self._take()
        try:
            with engine.cursor() as cursor:
                yield cursor
        except BaseException:
            engine.close()  # it may have been interrupted, be out of memory, or no longer valid
            raise
        self._give(engine)

    def close(self) -> None:
        """End those that wait."""
        _end(self._waiting)

    # A list gives and takes an item in one step, whatever other threads do.

    def _take(self) -> duckdb.DuckDBPyConnection:
        try:
            return self._waiting.pop()
        except IndexError:
            return self._start()

    def _give(self, engine: duckdb.DuckDBPyConnection) -> None:
        if len(self._waiting) < MOST:
            self._waiting.append(engine)
        else:
            engine.close()


def _end(waiting: list[duckdb.DuckDBPyConnection]) -> None:
    while waiting:
        waiting.pop().close()


_all: Final = WeakSet[Idle]()


def _close_all() -> None:
    for idle in list(_all):
        idle.close()


# A child has none of an engine's threads, and crashes where it ends one.
os.register_at_fork(before=_close_all)
